/** Forms in which people paste: prefixes, zones and languages, and tables whose age is all that they tell of time. */
import { describe, expect, it } from "vitest";
import { diagnosed, NOW_MS, PROC0 } from "./inputs.ts";
import { containerdLine, kubeletLine, proc0, wrappings } from "./wrappings.ts";

const klog = kubeletLine(proc0);
const logfmt = containerdLine(proc0);
const HOUR = [{ start: "2026-11-24T08:00:00Z", count: 1 }];

describe("a line of a log is found behind any prefix, and keeps its hour", () => {
  it.each([
    ["containerd with neither date nor host", `containerd[99]: ${logfmt}`],
    ["grep -n", `100:Nov 24 08:08:17 young-1 containerd: ${logfmt}`],
    ["grep -H", `/var/log/messages-20261124:Nov 24 08:08:17 young-1 containerd: ${logfmt}`],
    ["grep -C", `messages-12-Nov 24 08:08:17 young-1 kubelet: ${klog}`],
    ["kubectl logs --prefix", `[pod/logs-x2k9p/log] ${logfmt}`],
    ["kubectl logs --timestamps", `2026-11-24T08:08:17.169192952Z ${klog}`],
    ["a level of syslog", `<3>Nov 24 08:08:17 young-1 containerd[99]: ${logfmt}`],
    ["a quote of Markdown", `> Nov 24 08:08:17 young-1 containerd[99]: ${logfmt}`],
    ["numbered lines", `   12\t${klog}`],
    ["less -N", `     12 Nov 24 08:08:17 young-1 kubelet[8]: ${klog}`],
    ["docker compose", `kubelet  | ${klog}`],
    ["stern", `logs-x2k9p log ${klog}`],
    ["--no-hostname", `Nov 24 08:08:17 containerd[99]: ${logfmt}`],
    ["short-monotonic", `[  500.000000] young-1 containerd[99]: ${logfmt}`],
    ["short-delta", `[  500.000000 <   10.000000 >] young-1 containerd[99]: ${logfmt}`],
    ["colours", `Nov 24 08:08:17 young-1 containerd[99]: \u001b[1;31m\u001b[1;39m${logfmt}\u001b[0m`],
    [
      "colours of grep inside the words",
      logfmt.replace("/proc/0/ns", "\u001b[01;31m\u001b[K/proc/0/ns\u001b[m\u001b[K"),
    ],
    ["a string of JSON", JSON.stringify(`Nov 24 08:08:17 young-1 containerd[99]: ${logfmt}`)],
    ["French", `nov. 24 08:08:17 young-1 containerd[99]: ${logfmt}`],
    ["German", `Nov 24 08:08:17 young-1 containerd[99]: ${logfmt}`],
    ["Chinese", `11月 24 08:08:17 young-1 containerd[99]: ${logfmt}`],
    ["Russian", `ноя 24 08:08:17 young-1 containerd[99]: ${logfmt}`],
    ["k3s", `Nov 24 08:08:17 young-1 k3s[99]: ${klog}`],
    ["CRI-O, with a space in its time", logfmt.replace("2026-11-24T08:08:17.500Z", "2026-11-24 08:08:17.500000000Z")],
    ["CET", `Tue 2026-11-24 09:08:17 CET young-1 kubelet[8]: ${kubeletLine(proc0, "1124 09:08:17.5")}`],
    ["an offset", `2026-11-24T13:38:17+0530 young-1 kubelet[8]: ${kubeletLine(proc0, "1124 13:38:17.5")}`],
    [
      "no zone, but the journal's own line tells it",
      `-- Logs begin at Mon 2026-11-23 09:00:00 CET, end at Tue 2026-11-24 10:00:00 CET. --\nNov 24 09:08:17 young-1 kubelet[8]: ${kubeletLine(proc0, "1124 09:08:17.5")}`,
    ],
    [
      "no zone, but a later line of containerd tells it",
      `Nov 24 09:08:17 young-1 kubelet[8]: ${kubeletLine(proc0, "1124 09:08:17.5")}\nNov 24 09:08:18 young-1 containerd[9]: time="2026-11-24T09:08:18+01:00" level=info msg="StopContainer"`,
    ],
  ])("%s", (_, text) => {
    const { failures } = diagnosed(`${text}\n`);
    expect(failures.byFingerprint.NamespacePathProc0).toBe(1);
    expect(failures.total).toBe(1);
    expect(failures.byHour).toEqual(HOUR);
  });

  it("a line that a terminal broke in two is read as one", () => {
    const line = `Nov 24 08:08:17 young-1 kubelet[8]: ${klog}`;
    const parts = Array.from({ length: Math.ceil(line.length / 80) }, (_, at) => line.slice(at * 80, at * 80 + 80));
    const { failures, skipped } = diagnosed(`${parts.join("\n")}\n`);
    expect(failures).toMatchObject({ total: 1, byNode: { "young-1": 1 }, byNamespace: { shop: 1 } });
    expect(skipped.lines).toBe(0);
  });
});

describe("kubectl's words", () => {
  it("describe: node, namespace and time, also without its indentation", () => {
    const text = wrappings["kubectl describe pod"]?.(proc0) ?? "";
    for (const pasted of [text, text.replaceAll(/^ +/gm, ""), `{"kind":"Node","metadata":{"name":"n"}}${text}`]) {
      const { failures } = diagnosed(pasted);
      expect(failures).toMatchObject({ total: 1, byNode: { "young-1": 1 }, byNamespace: { shop: 1 }, byHour: HOUR });
    }
  });

  it("describe: how a container ended before, and an Event of the same, are one failure", () => {
    const text = `Name:         web-0
Namespace:    shop
Node:         young-1/10.0.0.1
Start Time:   Tue, 24 Nov 2026 09:07:58 +0100
Containers:
  web:
    Container ID:   containerd://5f4e
    Image:          r/app:1
    State:          Running
      Started:      Tue, 24 Nov 2026 09:08:27 +0100
    Last State:     Terminated
      Reason:       StartError
      Message:      ${PROC0}
      Exit Code:    128
      Started:      Thu, 01 Jan 1970 01:00:00 +0100
      Finished:     Tue, 24 Nov 2026 09:08:17 +0100
    Restart Count:  1
Events:
  Type     Reason  Age                From     Message
  ----     ------  ----               ----     -------
  Warning  Failed  11m (x2 over 12m)  kubelet  Error: ${PROC0}
`;
    const { failures } = diagnosed(text);
    expect(failures).toMatchObject({ total: 1, byNode: { "young-1": 1 }, byImage: { "r/app:1": 1 }, byHour: HOUR });
  });

  it("tables: ages count back from now, and the node is read from SOURCE", () => {
    const text = `NAMESPACE   LAST SEEN   TYPE      REASON   OBJECT      SUBOBJECT              SOURCE             MESSAGE                                      FIRST SEEN   COUNT   NAME
shop        2m38s       Warning   Failed   pod/web-0   spec.containers{web}   kubelet, young-1   Failed to pull image "r/app:1": pull QPS exceeded   4m           3       web-0.17aa
`;
    const { failures } = diagnosed(text);
    expect(failures).toMatchObject({ total: 1, byNode: { "young-1": 1 }, byNamespace: { shop: 1 } });
    expect(Date.parse(failures.byHour[0]?.start ?? "")).toBe(Math.floor((NOW_MS - 240_000) / 3_600_000) * 3_600_000);
  });

  it("YAML: lists, several documents, and a part that was cut out", () => {
    const state = `    lastState:
      terminated:
        exitCode: 128
        finishedAt: "2026-11-24T08:08:17Z"
        message: 'failed to create containerd task: failed to create shim task: OCI
          runtime create failed: lstat /proc/0/ns/ipc: no such file or directory'
        reason: StartError
`;
    const pod = (name: string) =>
      `apiVersion: v1\nkind: Pod\nmetadata:\n  name: ${name}\n  namespace: shop\nspec:\n  nodeName: young-1\nstatus:\n  startTime: "2026-11-24T08:08:00Z"\n  containerStatuses:\n  - name: web\n${state}`;
    const item = (name: string) => `- ${pod(name).replaceAll("\n", "\n  ").trimEnd()}\n`;
    for (const [text, total] of [
      [pod("a"), 1],
      [`${pod("a")}---\n${pod("b")}`, 2],
      [`${pod("a")}\n${pod("b")}`, 2],
      [`apiVersion: v1\nitems:\n${item("a")}${item("b")}kind: List\n`, 2],
      [state, 1],
    ] as const) {
      expect(diagnosed(text).failures.byFingerprint.NamespacePathProc0).toBe(total);
    }
  });

  it("crictl inspect tells pod and container by the kubelet's labels", () => {
    const labels = {
      "io.kubernetes.pod.name": "web-0",
      "io.kubernetes.pod.namespace": "shop",
      "io.kubernetes.container.name": "web",
    };
    const status = {
      id: "0a1b",
      metadata: { attempt: 1, name: "web" },
      state: "CONTAINER_EXITED",
      labels,
      reason: "StartError",
      message: PROC0,
      exitCode: 128,
      finishedAt: "2026-11-24T08:08:17Z",
    };
    const { failures } = diagnosed(JSON.stringify({ status, info: {} }, undefined, 2));
    expect(failures).toMatchObject({ total: 1, byNamespace: { shop: 1 }, byHour: HOUR });
  });
});

describe("what is known of a node's age", () => {
  const events = (count: number) =>
    Array.from({ length: count }, (_, index) => ({
      apiVersion: "v1",
      kind: "Event",
      type: "Warning",
      reason: "Failed",
      message: `Error: ${PROC0}`,
      involvedObject: { kind: "Pod", namespace: "shop", name: `web-${index}` },
      source: { component: "kubelet", host: "young-1" },
      firstTimestamp: `2026-11-24T08:08:${String(10 + index)}Z`,
    }));
  const seenBefore = {
    apiVersion: "v1",
    kind: "Event",
    type: "Normal",
    reason: "NodeHasSufficientMemory",
    message: "x",
    involvedObject: { kind: "Node", name: "young-1" },
    firstTimestamp: "2026-11-24T08:04:00Z",
  };
  const node = (creationTimestamp: string) => ({
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: "young-1", creationTimestamp },
  });
  const verdictOf = (...objects: object[]) => diagnosed(objects.map((one) => JSON.stringify(one)).join("\n"));

  it("a node that was first seen minutes ago is not young: its age is at least that", () => {
    const { verdict, failures } = verdictOf(seenBefore, ...events(12));
    expect(verdict.summary).toMatch(/^A herd: 12 failed starts, where many pods came to one node at once\./);
    expect(verdict.evidence.join(" ")).toMatch(/its age is unknown: at least 250 s/);
    expect(failures.byNodeAge).toEqual({ unknown: 12 });
  });

  it("a node whose creation is known is young, or it is not", () => {
    expect(verdictOf(node("2026-11-24T08:04:00Z"), ...events(12)).verdict.summary).toMatch(/^A herd on young nodes/);
    expect(verdictOf(node("2026-04-24T08:04:00Z"), ...events(12)).verdict.summary).toMatch(/^A herd: /);
  });
});
