import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { auditEvent, diagnosed, inputs } from "./inputs.ts";
import { failuresOfAllKinds, kubeletLine, proc0, wrappings } from "./wrappings.ts";

const quiet = (second: number) =>
  `Nov 24 08:08:${String(second % 60).padStart(2, "0")} young-1 kubelet[8]: I1124 08:08:${String(second % 60).padStart(2, "0")}.5 8 kubelet.go:2442] "SyncLoop (PLEG): event for pod" pod="shop/a"`;

/** Lines and records that can be read, and tell of no failure. */
const readable = fc.oneof(
  fc.nat(59).map(quiet),
  fc.nat(1_000).map((id) => JSON.stringify(auditEvent({}, { auditID: String(id) }))),
  fc.constantFrom(
    "-- Logs begin at Tue 2026-11-24 00:00:00 UTC. --",
    "@timestamp,@message",
    "LAST SEEN   TYPE   REASON   OBJECT   MESSAGE",
    '{"events":[]}',
    '{"apiVersion":"v1","kind":"Node","metadata":{"name":"n","creationTimestamp":"2026-11-24T00:00:00Z"}}',
    "apiVersion: v1",
    "Name:         web-0",
    "",
  ),
);

/** What people paste beside it: nothing of a known shape, with words of the problem somewhere in it. */
const marks = [
  ...["StartError", "lstat /proc/0/ns/ipc: no such file", "failed to reserve container name", "pull QPS exceeded"],
  ...["FailedCreatePodSandBox", "context deadline exceeded", "shim task: context canceled", "RunContainerError"],
];
const noise = fc.stringMatching(/^[a-z ,.;]{0,40}$/);
const unreadable = fc.oneof(
  fc.tuple(noise, fc.constantFrom(...marks), noise).map(([before, mark, after]) => `${before} ${mark} ${after}`),
  fc.constantFrom(...marks).map((mark) => `{"a":{"b":"${mark}"}}`),
  fc.constantFrom(...marks).map((mark) => `{"kind":"Event","x":"${mark}`),
  fc.constantFrom(...marks).map((mark) => `| ${mark} | x |`),
  fc.constantFrom(...marks).map((mark) => `2026-11-24 08:00:00 INFO app: ${mark}`),
);

describe("an all-clear needs evidence", () => {
  it("what was not read and has words of the problem is never an all-clear, whatever stands around it", () => {
    const mixture = fc.tuple(
      fc.array(readable, { maxLength: 12 }),
      fc.array(unreadable, { minLength: 1, maxLength: 4 }),
    );
    fc.assert(
      fc.property(mixture, fc.infiniteStream(fc.nat()), ([lines, marked], order) => {
        const all = [...lines];
        for (const one of marked) all.splice((order.next().value ?? 0) % (all.length + 1), 0, one);
        const { verdict } = diagnosed(all.join("\n"));
        expect([verdict.outcome === "clear", all]).toEqual([false, all]);
      }),
      { numRuns: 1_000 },
    );
  });

  it("lines that were read and tell of no failure are an all-clear", () => {
    const { verdict } = diagnosed([1, 2, 3].map(quiet).join("\n"));
    expect(verdict).toMatchObject({ outcome: "clear", summary: "No failed start was found: not this problem." });
  });

  it("one line that was read among many that were not is no all-clear, and the summary says why", () => {
    const { verdict } = diagnosed(`${quiet(1)}\n${"Olá mundo\n".repeat(1_000)}`);
    expect(verdict.outcome).toBe("unknown");
    expect(verdict.summary).toMatch(
      /^Cannot tell: most of the input was not read \(1000 of 1001 lines, such as "Olá mundo"\)/,
    );
  });

  it.each([
    ["the journal's own lines", "-- Logs begin at Tue 2026-11-24 00:00:00 UTC. --\n-- No entries --\n"],
    ["a header of CSV", "@timestamp,@message\n"],
    ["an empty list", '{"apiVersion":"v1","kind":"List","items":[]}'],
    [
      "nodes only",
      '{"apiVersion":"v1","kind":"Node","metadata":{"name":"n","creationTimestamp":"2026-11-24T00:00:00Z"}}',
    ],
    ["nothing, in kubectl's words", "No resources found in default namespace.\n"],
    ["a table of pods", "NAME    READY   STATUS    RESTARTS   AGE\nweb-0   1/1     Running   1          5m\n"],
    ["a journal of other programs", "Nov 24 08:08:10 n sshd[9]: Accepted publickey\n".repeat(3)],
    [
      "an audit log that keeps no requests",
      `${JSON.stringify(auditEvent({}, { level: "Metadata", requestObject: undefined }))}\n`,
    ],
  ])("%s: nothing in it would show a failed start", (_, text) => {
    const { verdict } = diagnosed(text);
    expect(verdict.outcome).toBe("unknown");
    expect(verdict.summary).toMatch(/^Cannot tell: nothing in it would show a failed start/);
  });

  it.each(["RunContainerError", "CreateContainerError", "ImagePullBackOff"])(
    "a table that says %s and not why is no all-clear",
    (status) => {
      const { verdict, skipped } = diagnosed(
        `NAME    READY   STATUS              RESTARTS   AGE\nweb-0   0/1     ${status}   3          5m\n`,
      );
      expect(verdict.outcome).toBe("unknown");
      expect(skipped.byCause).toEqual({ noDetails: 1 });
      expect(verdict.advice.join(" ")).toMatch(/kubectl get pods -A -o json/);
    },
  );

  it("lines that a pager cut are told as such, with what to run instead", () => {
    const line = `Nov 24 08:08:10 n kubelet[9]: ${kubeletLine({ fingerprint: "NamespacePathProc0", step: "container", message: "x".repeat(300) })}`;
    for (const text of [`${line.slice(0, 170)}>\n`, `${line.slice(0, 150)}…\n`, `${line.slice(0, 120)}\n`]) {
      const { verdict, skipped } = diagnosed(text.repeat(3));
      expect(verdict.outcome).toBe("unknown");
      expect(skipped.byCause.torn).toBe(3);
      expect(verdict.advice.join(" ")).toMatch(/--no-pager/);
    }
  });

  it("figures beside lines that were not read are the least there was", () => {
    const { verdict } = diagnosed(`${kubeletLine(proc0)}\nmore pods with StartError\n`);
    expect(verdict.outcome).toBe("found");
    expect(verdict.evidence.join(" ")).toMatch(/least there was: 1 line or record not read/);
  });
});

describe("what a summary counts", () => {
  it("failures with another cause are told apart, not as signs of an overloaded node", () => {
    const event = (name: string, reason: string, message: string) =>
      JSON.stringify({
        apiVersion: "v1",
        kind: "Event",
        type: "Warning",
        reason,
        message,
        involvedObject: { kind: "Pod", namespace: "shop", name },
        firstTimestamp: "2026-11-24T08:08:17Z",
      });
    const cni = "Failed to create pod sandbox: add cmd: failed to assign an IP address to container";
    const { verdict } = diagnosed(
      [
        event("a", "Failed", `Error: ${proc0.message}`),
        ...["b", "c"].map((name) => event(name, "FailedCreatePodSandBox", cni)),
      ].join("\n"),
    );
    expect(verdict.summary).toMatch(/^1 failed start with the marks of an overloaded node/);
    expect(verdict.evidence.join(" ")).toMatch(/Seen: 2 sandboxes without an address/);
  });
});

describe("an input that was cut anywhere", () => {
  const logs = ["kubelet, klog", "kubelet, journal", "containerd, journal", "kubelet, journal as JSON", "audit log"];
  const texts = logs.flatMap((name) =>
    failuresOfAllKinds.slice(0, 9).map((failure) => wrappings[name]?.(failure) ?? ""),
  );

  it("keeps every failure whose line is whole", () => {
    fc.assert(
      fc.property(fc.constantFrom(...texts), fc.constantFrom(...texts), fc.nat(), (whole, torn, at) => {
        const cut = torn.slice(0, at % torn.length);
        const before = diagnosed(whole).failures.byFingerprint;
        const after = diagnosed(`${whole}${cut}`).failures.byFingerprint;
        for (const [key, count] of Object.entries(before))
          expect(after[key as keyof typeof after]).toBeGreaterThanOrEqual(count);
      }),
      { numRuns: 500 },
    );
  });

  it("names the line that was torn", () => {
    fc.assert(
      fc.property(fc.constantFrom(...texts), fc.nat(), (text, at) => {
        const line = text.trimEnd();
        const cut = line.slice(0, 1 + (at % (line.length - 2)));
        const { skipped, failures } = diagnosed(`${quiet(1)}\n${cut}`);
        const isTold = Object.values(failures.byFingerprint).some((count) => count > 0);
        expect([isTold || skipped.lines > 0, cut]).toEqual([true, cut]);
      }),
      { numRuns: 1_000 },
    );
  });

  it("documents of several lines are never an all-clear once they are cut inside a failure", () => {
    const described = wrappings["kubectl describe pod"]?.(proc0) ?? "";
    const yaml = wrappings["Event as YAML"]?.(proc0) ?? "";
    for (const text of [described, yaml, inputs["one Pod"]?.text ?? ""]) {
      const from = text.indexOf("namespace path");
      for (let at = from; at < text.length; at++)
        expect(diagnosed(text.slice(0, at)).verdict.outcome).not.toBe("clear");
    }
  });
});
