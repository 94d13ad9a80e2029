/** Inputs that nobody writes by hand, or that tell less than they seem to: neither a crash nor an all-clear. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { diagnose, ReadingError } from "../../../src/diagnose/diagnose.ts";
import { auditEvent, diagnosed, NOW_MS, podObject } from "./inputs.ts";
import { failuresOfAllKinds, kubeletLine, proc0 } from "./wrappings.ts";

const audit = JSON.stringify(auditEvent());
const clean = (id: number, receivedAt = "2026-11-24T08:08:17.500000Z") =>
  JSON.stringify(auditEvent({}, { auditID: `clean-${id}`, requestReceivedTimestamp: receivedAt }));
const event = (over: object) => ({
  apiVersion: "v1",
  kind: "Event",
  type: "Warning",
  involvedObject: { kind: "Pod", namespace: "shop", name: "web-0" },
  firstTimestamp: "2026-11-24T08:08:17Z",
  ...over,
});

describe("deep nesting", () => {
  const deep = 20_000;
  const shapes = {
    lists: `${"[".repeat(deep)}${"]".repeat(deep)}`,
    objects: `${'{"a":'.repeat(deep)}1${"}".repeat(deep)}`,
    "an object of a kind": `{"apiVersion":"v1","kind":"X","a":${"[".repeat(deep)}${"]".repeat(deep)}}`,
    "an object that has no end": '{"a":'.repeat(deep),
    "a text in a record": JSON.stringify({ "@message": `{"a":${"[".repeat(deep)}${"]".repeat(deep)}}` }),
  };

  it.each(Object.entries(shapes))("%s: skipped by name, and the rest is read", (_, nested) => {
    const { failures, skipped } = diagnosed(`${nested}\n${audit}\n`);
    expect(failures.total).toBe(1);
    expect(Object.keys(skipped.byCause)).not.toEqual([]);
  });

  it("a failure in the same list is still counted", () => {
    const { failures, skipped } = diagnosed(`{"items":[${shapes.objects},${JSON.stringify(podObject)}]}`);
    expect(failures.total).toBe(1);
    expect(skipped.byCause.brokenJson).toBe(1);
  });

  it("a mark inside it is found", () => {
    const { verdict } = diagnosed(`${clean(1)}\n${shapes.objects.replace("1", '"StartError"')}\n`);
    expect(verdict.outcome).toBe("unknown");
    expect(verdict.summary).toMatch(/StartError/);
  });

  it("an error that nobody expected names the input", async () => {
    // eslint-disable-next-line @typescript-eslint/require-await -- a stream that fails
    const stream = (async function* () {
      yield `${audit}\n`;
      throw new RangeError("of no file system");
    })();
    const options = { binMs: 3_600_000, nowMs: NOW_MS, sinceMs: undefined, untilMs: undefined };
    const reading = diagnose([{ name: "some.log", stream }], options);
    await expect(reading).rejects.toThrow(ReadingError);
    await expect(reading).rejects.toThrow(/some\.log: of no file system/);
  });
});

describe("a window of time", () => {
  it("with nothing in it is no all-clear: what was left out is told", () => {
    const { verdict, read } = diagnosed(`${clean(1)}\n${audit}\n`, {
      since: "2026-11-25T00:00:00Z",
      until: "2026-11-26T00:00:00Z",
    });
    expect(verdict.outcome).toBe("unknown");
    expect(verdict.summary).toBe(
      "Cannot tell: nothing in the input lies between 2026-11-25T00:00:00Z and 2026-11-26T00:00:00Z; it spans 2026-11-24T08:08:17.500Z to 2026-11-24T08:08:17.500Z (2 records left out, 1 failed start outside).".replace(
        "spans 2026-11-24T08:08:17.500Z",
        "spans 2026-11-24T08:08:17Z",
      ),
    );
    expect(read.window).toMatchObject({ inside: 0, outside: 2, failuresOutside: 1 });
  });

  it.each([
    ["kubelet lines", kubeletLine(proc0)],
    ["Events", JSON.stringify(event({ reason: "Failed", message: `Error: ${proc0.message}` }))],
    ["pods", JSON.stringify(podObject)],
    [
      "a table",
      "LAST SEEN   TYPE      REASON   OBJECT      MESSAGE\n3h   Normal   Started   pod/a   Started container\n",
    ],
  ])("with %s outside of it only is none either", (_, text) => {
    expect(diagnosed(`${text}\n`, { until: "2026-11-01T00:00:00Z" }).verdict.outcome).toBe("unknown");
  });

  it("in which starts were clean is an all-clear that tells of failures outside", () => {
    const { verdict } = diagnosed(`${audit}\n${clean(1, "2026-11-24T10:00:00Z")}\n`, { since: "2026-11-24T09:00:00Z" });
    expect(verdict).toMatchObject({
      outcome: "clear",
      summary: "No failed start was found in this window: not this problem.",
      evidence: ["Left out by --since and --until: 1 failed start."],
    });
  });
});

describe("marks", () => {
  const words = [
    ...failuresOfAllKinds.map(({ message }) => message),
    'name "web" is reserved for "4434b462"',
    "Kubelet may be retrying requests that are timing out in CRI-O due to system load",
    "stream terminated by RST_STREAM with error code: CANCEL",
    "hcs::CreateComputeSystem abc: The wait operation timed out",
  ];

  it("each fingerprint's own words in a line that nobody can read are never an all-clear", () => {
    const noise = fc.stringMatching(/^[a-z ,.;]{0,40}$/);
    fc.assert(
      fc.property(fc.constantFrom(...words), noise, noise, fc.nat(50), (own, before, after, good) => {
        const lines = Array.from({ length: good }, (_, id) => clean(id));
        const { verdict } = diagnosed([...lines, `${before} ${own} ${after}`, ...lines].join("\n"));
        expect([own, verdict.outcome]).not.toEqual([own, "clear"]);
      }),
      { numRuns: 400 },
    );
  });

  it("what was written of a pod or an Event and was cut is no all-clear, a read is", () => {
    const cut = (verb: string, uri: string) =>
      `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","requestURI":"${uri}","verb":"${verb}"`;
    const outcome = (torn: string) => diagnosed(`${clean(1)}\n${clean(2)}\n${torn}`).verdict.outcome;
    expect(outcome(cut("patch", "/api/v1/namespaces/prod/pods/web-a/status"))).toBe("unknown");
    expect(outcome(cut("create", "/api/v1/namespaces/prod/events"))).toBe("unknown");
    expect(outcome('{"apiVersion":"v1","kind":"Event","reas')).toBe("unknown");
    expect(outcome('{"kind":"Event","apiVersion":"audit.k8s.io/v1","lev')).toBe("unknown");
    expect(outcome(cut("get", "/api/v1/namespaces/prod/pods/web-a/status"))).toBe("clear");
    expect(outcome(cut("update", "/apis/coordination.k8s.io/v1/leases/n"))).toBe("clear");
  });
});

describe("a record that is too large", () => {
  const large = (chars: number) => `{"reason":"StartError","a":"${"x".repeat(chars)}"}`;

  it.each([16_777_300, 17_000_000, 18_000_000])("of %i characters is told, wherever it stands", (chars) => {
    for (const text of [
      `${large(chars)}\n${clean(1)}\n`,
      `${clean(1)}\n${large(chars)}\n`,
      `${clean(1)}\n${large(chars)}`,
    ]) {
      const { verdict, skipped, read } = diagnosed(text, { pieceBytes: 1_048_576 });
      expect(verdict.outcome).toBe("unknown");
      expect(skipped.byCause.lineTooLong).toBe(1);
      expect(read.unread.samples).toMatchObject([{ mark: "StartError" }]);
    }
  });
});

describe("what is no evidence", () => {
  const pending = { ...podObject, status: { phase: "Pending" } };
  it.each([
    ["a pod before its first container", JSON.stringify(pending)],
    [
      "Events of a node",
      JSON.stringify(
        event({ type: "Normal", reason: "Starting", message: "", involvedObject: { kind: "Node", name: "n" } }),
      ),
    ],
    [
      "kubectl describe node",
      "Name:               n\nRoles:              <none>\nCreationTimestamp:  Tue, 24 Nov 2026 08:00:00 +0000\nEvents:\n  Type    Reason    Age   From     Message\n  ----    ------    ----  ----     -------\n  Normal  Starting  2m    kubelet  Starting kubelet.\n",
    ],
  ])("%s", (_, text) => {
    expect(diagnosed(text).verdict).toMatchObject({ outcome: "unknown" });
    expect(diagnosed(text).verdict.summary).toMatch(/nothing in it would show a failed start/);
  });

  it.each([
    ["FailedCreatePodSandBox", "Failed to create pod sandb"],
    ["FailedCreatePodSandBox", "Failed to create pod sandbox: rpc error: code = Unkn"],
    ["FailedCreatePodSandBox", "Failed to create pod sandbox: rpc error: code = Unknown desc = failed to…"],
    ["Failed", "Error: fail"],
    ["Failed", "Error: failed to create containerd task: failed to create sh"],
    ["Failed", 'Failed to pull image "r/app:1": rpc error: co'],
  ])("a %s that ends before its cause: %s", (reason, message) => {
    const { verdict, skipped } = diagnosed(`${clean(1)}\n${JSON.stringify(event({ reason, message }))}\n`);
    expect(verdict.outcome).toBe("unknown");
    expect(skipped.byCause.noDetails).toBe(1);
  });

  it("a table of nodes says what tells their ages", () => {
    const { verdict } = diagnosed("NAME   STATUS   ROLES    AGE   VERSION\nn-1    Ready    <none>   5d    v1.31.0\n");
    expect(verdict.outcome).toBe("unknown");
    expect(verdict.advice.join(" ")).toMatch(/kubectl get nodes -o json/);
  });
});

describe("figures", () => {
  it("StartErrors that a manifest explains are counted apart, not on the nodes", () => {
    const message = 'failed to create shim task: OCI runtime create failed: exec: "serve": executable file not found';
    const state = { terminated: { reason: "StartError", exitCode: 128, message, finishedAt: "2026-11-24T08:00:00Z" } };
    const pod = {
      ...podObject,
      metadata: { name: "wrong", namespace: "shop" },
      status: { containerStatuses: [{ name: "main", restartCount: 0, state }] },
    };
    const { failures } = diagnosed(`${audit}\n${JSON.stringify(pod)}\n`);
    expect(failures).toMatchObject({ total: 1, misconfigured: 1, byNode: { "young-1": 1 } });
    expect(failures.byFingerprint).toMatchObject({ NamespacePathProc0: 1, OtherStartError: 1 });
  });

  it("ages are told in the units that people use", () => {
    const node = { kind: "Node", metadata: { name: "young-1", creationTimestamp: "2025-11-25T08:08:00Z" } };
    const pods = Array.from({ length: 12 }, (_, index) =>
      JSON.stringify({
        ...podObject,
        metadata: { name: `p-${index}`, namespace: "shop", uid: `u-${index}` },
        spec: { nodeName: "young-1", containers: [] },
        status: {
          startTime: "2026-11-24T08:08:00Z",
          containerStatuses: auditEvent().requestObject.status["containerStatuses" as never],
        },
      }),
    );
    const { verdict } = diagnosed([JSON.stringify(node), ...pods].join("\n"));
    expect(verdict.evidence.join(" ")).toMatch(/when it was 364 d old/);
  });
});
