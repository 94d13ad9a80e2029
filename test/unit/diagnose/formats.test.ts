import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  auditEvent,
  containerStatus,
  diagnosed,
  inputs,
  kubeletEvent,
  podObject,
  PROC0,
  terminated,
} from "./inputs.ts";

const line = (value: object) => `${JSON.stringify(value)}\n`;

describe("every accepted format", () => {
  it.each(Object.entries(inputs))("%s: the failure is found once, by fingerprint and hour", (_, { text, query }) => {
    const { failures, query: counted, skipped, verdict } = diagnosed(text);
    expect(skipped.byCause).toEqual({});
    expect(failures.byFingerprint).toMatchObject({ NamespacePathProc0: 1, Unrelated: 0 });
    expect(failures.total).toBe(1);
    expect(failures.byHour).toEqual([{ start: "2026-11-24T08:00:00Z", count: 1 }]);
    expect(counted.total).toBe(query);
    expect(verdict.found).toBe(true);
  });

  it.each(Object.entries(inputs))("%s: pieces of any size give the same", (_, { text }) => {
    expect(diagnosed(text, { pieceBytes: 7 })).toEqual(diagnosed(text));
  });

  it("mixed in one file, the same failure still counts once", () => {
    const all = Object.values(inputs).map(({ text }) => text.replace("\ufeff", "").replace(/\n?$/, "\n"));
    const { failures } = diagnosed(all.join(""));
    expect(failures.byFingerprint.NamespacePathProc0).toBe(1);
    expect(failures.total).toBe(1);
  });
});

describe("counting", () => {
  it("one failure reported ten times, as state and lastState, counts once; the query counts what CloudWatch counts", () => {
    const reports = Array.from({ length: 10 }, (_, index) =>
      auditEvent(
        {
          containerStatuses: [
            index < 1 ? { ...containerStatus, state: { terminated }, lastState: {} } : containerStatus,
          ],
        },
        { auditID: `id-${index}` },
      ),
    );
    const { query, failures } = diagnosed(reports.map(line).join(""));
    expect(query).toEqual({ bins: [{ start: "2026-11-24T08:00:00Z", count: 9 }], total: 9 });
    expect(failures.total).toBe(1);
  });

  it("the query looks at the first container's lastState only; failures are seen anywhere", () => {
    const other = { name: "second", restartCount: 0, state: { running: {} }, lastState: {} };
    const events = [
      auditEvent({ containerStatuses: [other, containerStatus] }, { auditID: "a" }),
      auditEvent({ initContainerStatuses: [{ ...containerStatus, name: "init" }] }, { auditID: "b" }),
      auditEvent({ ephemeralContainerStatuses: [{ ...containerStatus, name: "debug" }] }, { auditID: "c" }),
    ];
    const { query, failures } = diagnosed(events.map(line).join(""));
    expect(query.total).toBe(0);
    expect(failures.total).toBe(3);
  });

  it("each restart that fails counts", () => {
    const events = [0, 1, 2].map((restartCount) => {
      const end = { ...terminated, containerID: `containerd://${restartCount}` };
      return auditEvent(
        { containerStatuses: [{ ...containerStatus, restartCount, lastState: { terminated: end } }] },
        { auditID: `${restartCount}` },
      );
    });
    expect(diagnosed(events.map(line).join("")).failures.total).toBe(3);
  });

  it("one failed start that containerd and the kubelet tell of in four lines counts once, whatever year the journal means", () => {
    const head = "Nov 24 08:08:17 young-1 ";
    const id = "c".repeat(64);
    const text = [
      `containerd[9]: time="2024-11-24T08:08:17.1Z" level=error msg="StartContainer for \\"${id}\\" failed" error="${PROC0}"`,
      `kubelet[8]: E1124 08:08:17.2    8 remote_runtime.go:343] "StartContainer from runtime service failed" err="rpc error: code = Unknown desc = ${PROC0}" containerID="${id}"`,
      `kubelet[8]: E1124 08:08:17.3    8 kuberuntime_manager.go:1256] container &Container{Name:main,Image:app:1,} start failed in pod app-1_shop(dbf30f3f-b164): RunContainerError: ${PROC0}`,
      `kubelet[8]: E1124 08:08:17.4    8 pod_workers.go:1294] "Error syncing pod, skipping" err="failed to \\"StartContainer\\" for \\"main\\" with RunContainerError" pod="shop/app-1" podUID="dbf30f3f-b164"`,
      `kubelet[8]: I1124 08:08:18.4    8 kubelet.go:2442] "SyncLoop (PLEG): event for pod" pod="shop/app-1" event={"ID":"x","Type":"ContainerDied"}`,
    ].map((one) => `${head}${one}\n`);
    const { failures, skipped } = diagnosed(text.join(""));
    expect(failures).toMatchObject({ total: 1, byNode: { "young-1": 1 }, byImage: { "app:1": 1 } });
    expect(failures.byHour).toEqual([{ start: "2024-11-24T08:00:00Z", count: 1 }]);
    expect(skipped.lines).toBe(0);
  });

  it("a container ID that ended three times is three failures", () => {
    const events = [1, 2, 3].map((restartCount) => {
      const end = { ...terminated, finishedAt: `2026-11-24T08:0${restartCount}:00Z` };
      const status = { ...containerStatus, restartCount, state: { running: {} }, lastState: { terminated: end } };
      return auditEvent({ containerStatuses: [status] }, { auditID: `${restartCount}` });
    });
    expect(diagnosed(events.map(line).join("")).failures.total).toBe(3);
  });

  it("an audit event that is in the file twice is one, and said to be a duplicate", () => {
    const { query, skipped } = diagnosed(line(auditEvent()).repeat(2));
    expect(query.total).toBe(1);
    expect(skipped).toEqual({ lines: 1, byCause: { duplicate: 1 } });
  });

  it("audit log, Event and pod tell of one failure", () => {
    const { failures } = diagnosed([auditEvent(), kubeletEvent, podObject].map(line).join(""));
    expect(failures.total).toBe(1);
    expect(failures.byNode).toEqual({ "young-1": 1 });
  });

  it("out of memory and the program's own exit are kept apart", () => {
    const end = (name: string, reason: string, exitCode: number) => ({
      name,
      restartCount: 1,
      state: { running: {} },
      lastState: { terminated: { reason, exitCode, finishedAt: "2026-11-24T08:00:00Z" } },
    });
    const { failures, verdict } = diagnosed(
      line(
        auditEvent({ containerStatuses: [end("a", "OOMKilled", 137), end("b", "Error", 1), end("c", "Completed", 0)] }),
      ),
    );
    expect(failures.byFingerprint.Unrelated).toBe(2);
    expect(failures.total).toBe(0);
    expect(verdict.found).toBe(false);
  });

  it("bins start at multiples of their width", () => {
    const { query } = diagnosed(line(auditEvent()), { binMs: 7 * 60_000 });
    const width = 7 * 60_000;
    const expected = Math.floor(Date.parse("2026-11-24T08:08:17.500Z") / width) * width;
    expect(Date.parse(query.bins[0]?.start ?? "")).toBe(expected);
  });

  it.each([
    ["ErrImagePull", "pull QPS exceeded", "PullQPSExceeded"],
    ["ImagePullBackOff", 'Back-off pulling image "x"', "ImagePullBackOff"],
    [
      "CreateContainerError",
      'failed to reserve container name "main_a_b_c_0": name is reserved',
      "ReservedContainerName",
    ],
    ["CreateContainerConfigError", 'secret "x" not found', "Unrelated"],
  ] as const)("waiting with %s: %s is %s", (reason, message, fingerprint) => {
    const status = { containerStatuses: [{ name: "main", restartCount: 0, state: { waiting: { reason, message } } }] };
    expect(diagnosed(line(auditEvent(status))).failures.byFingerprint[fingerprint]).toBe(1);
  });

  it("a sandbox that was not made in time is told from other sandbox failures", () => {
    const event = (message: string, name: string) => ({
      ...kubeletEvent,
      involvedObject: { kind: "Pod", namespace: "shop", name },
      reason: "FailedCreatePodSandBox",
      message,
    });
    const late = event(
      "Failed to create pod sandbox: rpc error: code = DeadlineExceeded desc = context deadline exceeded",
      "a",
    );
    const cni = event("Failed to create pod sandbox: no free IP addresses", "b");
    expect(diagnosed([late, cni].map(line).join("")).failures.byFingerprint).toMatchObject({
      SandboxDeadline: 1,
      SandboxWithoutAddress: 1,
      Unrelated: 0,
    });
  });
});

describe("herds", () => {
  it("pods bound to one node together, with the node's age since its creation", () => {
    const at = (second: number) => new Date(Date.parse("2026-11-24T08:08:00Z") + second * 1_000).toISOString();
    const node = auditEvent(
      {},
      {
        ...{
          auditID: "n",
          verb: "create",
          requestURI: "/api/v1/nodes",
          objectRef: { resource: "nodes", name: "young-1" },
        },
        requestObject: { kind: "Node", metadata: { name: "young-1" } },
        requestReceivedTimestamp: at(-30),
      },
    );
    const bindings = Array.from({ length: 12 }, (_, index) => {
      const name = index === 0 ? "app-15-6689bbb7f5-5nzgl" : `pod-${index}`;
      return auditEvent(
        {},
        {
          auditID: `b${index}`,
          verb: "create",
          requestURI: `/api/v1/namespaces/shop/pods/${name}/binding`,
          objectRef: { resource: "pods", namespace: "shop", name, subresource: "binding" },
          ...{
            requestObject: { kind: "Binding", target: { kind: "Node", name: "young-1" } },
            requestReceivedTimestamp: at(index / 10),
          },
        },
      );
    });
    const { herds, verdict } = diagnosed([node, ...bindings, auditEvent()].map(line).join(""));
    expect(herds).toMatchObject([
      {
        node: "young-1",
        start: "2026-11-24T08:08:00Z",
        podsStarted: 12,
        failures: 1,
        nodeAgeSeconds: 30,
        nodeAgeFrom: "creation",
      },
    ]);
    expect(verdict.summary).toMatch(/young/);
    expect(verdict.advice.join(" ")).toMatch(/125 to 200 MiB\/s.*NVMe.*registry.example\/app-15:1/s);
  });
});

describe("damage is counted and named, never fatal", () => {
  const good = line(auditEvent());
  it.each([
    ["a line that was cut", good.slice(0, 700) + "\n", { brokenJson: 1 }],
    ["text of no known kind", "hello there\n", { notRecognised: 1 }],
    ["a run of NUL bytes", "\0".repeat(50) + "\n", { nulBytes: 1 }],
    ["JSON of another kind", '{"a":1}\n', { notRecognised: 1 }],
    ["a line of 50 MB", `{"kind":"Event","x":"${"y".repeat(50_000_000)}"}\n`, { lineTooLong: 1 }],
  ])("%s", (_, bad, byCause) => {
    const { skipped, failures } = diagnosed(`${bad}${good}`, { pieceBytes: 1_048_576 });
    expect(skipped.byCause).toEqual(byCause);
    expect(failures.total).toBe(1);
  });

  it.each([
    ["rows of counts", "bin(1h),count(*)\n2026-11-24 08:00:00.000,2\n", { aggregatedRow: 1 }],
    [
      "rows of counts, as JSON",
      JSON.stringify({
        results: [
          [
            { field: "bin(1h)", value: "x" },
            { field: "count(*)", value: "2" },
          ],
        ],
      }),
      { aggregatedRow: 1 },
    ],
    ["objects of other kinds", JSON.stringify({ kind: "List", items: [{ kind: "ConfigMap" }] }), { notRecognised: 1 }],
    ["a damaged packed record", `H4sI${"A".repeat(40)}\n`, { truncatedGzip: 1 }],
  ])("%s are nothing usable", (_, text, byCause) => {
    const { skipped, usable } = diagnosed(text);
    expect(skipped.byCause).toEqual(byCause);
    expect(usable).toBe(0);
  });

  it("a line of another format under a CSV header is no row of it, whatever its commas", () => {
    const csv = inputs["Insights CSV"]?.text ?? "";
    const { failures, skipped } = diagnosed(`${csv}${inputs["kubelet journal, short"]?.text ?? ""}`);
    expect(failures.total).toBe(1);
    expect(skipped.lines).toBe(0);
  });

  it("an empty list, a header without rows and a journal without entries are usable, and hold nothing", () => {
    for (const text of [
      '{"events":[]}',
      '{"results":[],"status":"Complete"}',
      "@timestamp,@message\n",
      "-- No entries --\n",
    ]) {
      expect(diagnosed(text).usable).toBeGreaterThan(0);
    }
  });

  it("a cut document gives its complete records", () => {
    const message = JSON.stringify(auditEvent());
    const text = JSON.stringify(
      {
        events: [
          { timestamp: 1, message, eventId: "1" },
          { timestamp: 2, message, eventId: "2" },
        ],
      },
      undefined,
      2,
    );
    const { failures, skipped } = diagnosed(text.slice(0, -200));
    expect(failures.total).toBe(1);
    expect(skipped.byCause).toMatchObject({ brokenJson: 1 });
  });

  it("a document over 4 MiB is read element by element", () => {
    const events = Array.from({ length: 5_000 }, (_, index) => ({
      timestamp: Date.parse("2026-11-24T08:08:17Z"),
      eventId: String(index),
      message: JSON.stringify(auditEvent(undefined, { auditID: `id-${index}` })),
    }));
    const { query, failures, skipped } = diagnosed(JSON.stringify({ events }, undefined, 2));
    expect(query.total).toBe(5_000);
    expect(failures.total).toBe(1);
    expect(skipped.lines).toBe(0);
  });

  it("arbitrary bytes never crash it", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 2_000 }), (bytes) => void diagnosed(bytes, { pieceBytes: 64 })));
  });

  it("mutated and truncated inputs never crash it", () => {
    const texts = Object.values(inputs).map(({ text }) => Buffer.from(text));
    fc.assert(
      fc.property(
        fc.constantFrom(...texts),
        fc.nat(),
        fc.nat(),
        fc.uint8Array({ maxLength: 8 }),
        (text, at, cut, bytes) => {
          const from = at % text.length;
          const mutated = Buffer.concat([text.subarray(0, from), bytes, text.subarray(from + (cut % 40))]);
          const report = diagnosed(mutated.subarray(0, mutated.length - (cut % 30)), { pieceBytes: 100 });
          expect(report.failures.total).toBeLessThanOrEqual(3);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("JSON of any shape never crashes it", () => {
    const key = fc.constantFrom(
      "kind",
      "apiVersion",
      "items",
      "events",
      "results",
      "message",
      "@message",
      "status",
      "spec",
      "containerStatuses",
      "requestObject",
      "objectRef",
      "auditID",
      "verb",
      "metadata",
      "state",
      "lastState",
      "waiting",
      "terminated",
      "involvedObject",
      "log",
      "ts",
    );
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 6 },
        fc.constantFrom("Event", "Pod", "List", "audit.k8s.io/v1", "2026-01-01T00:00:00Z", PROC0, 0, null, true),
        fc.dictionary(key, tie("value"), { maxKeys: 6 }),
        fc.array(tie("value"), { maxLength: 3 }),
      ),
    }));
    fc.assert(fc.property(value, (one) => void diagnosed(JSON.stringify(one))));
  });
});
