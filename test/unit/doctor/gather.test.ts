import { describe, expect, it } from "vitest";
import { nodeFacts } from "../../../src/kube/parse/facts.ts";
import { durationMs } from "../../../src/kube/parse/duration.ts";
import type { NodeSeen } from "../../../src/doctor/facts.ts";
import { hasPressure, sampleOf } from "../../../src/doctor/gather/kubelets.ts";
import { rawNode } from "../../support/raw-objects.ts";

function node(index: number, instanceType: string): NodeSeen {
  const creationTimestamp = new Date(Date.UTC(2026, 0, 1) + index * 60_000).toISOString();
  const { images: _images, ...facts } = nodeFacts(rawNode({ metadata: { name: `node-${index}`, creationTimestamp } }));
  return { ...facts, instanceType, runtime: "containerd://2.1.5", kubelet: "v1.36.3", hasExternalAddress: true };
}

describe("which kubelets are asked", () => {
  it("of 5,000: the youngest of each kind, then the youngest of all, at most the sample", () => {
    const nodes = Array.from({ length: 5_000 }, (_, index) => node(index, index < 10 ? "i3.large" : "m5.large"));
    const names = sampleOf(nodes, 100).map(({ name }) => name);
    expect(names.slice(0, 3)).toEqual(["node-4999", "node-9", "node-4998"]);
    expect(new Set(names).size).toBe(100);
  });

  it("all of a small cluster", () => {
    expect(sampleOf([node(1, "a"), node(2, "a")], 100)).toHaveLength(2);
  });
});

describe("durations of Go", () => {
  it.each([
    ["2m0s", 120_000],
    ["1h30m", 5_400_000],
    ["500ms", 500],
    ["0s", 0],
    ["1.5s", 1_500],
    ["Never", undefined],
    ["", undefined],
    [120, undefined],
  ])("%s", (text, ms) => expect(durationMs(text)).toBe(ms));
});

describe("a kubelet's pressure figures", () => {
  const line = (total: number, avg10 = 0) => ({ total, avg10, avg60: 0, avg300: 0 });
  const psi = (some: object, full: object = line(0)) => ({ psi: { some, full } });
  it.each([
    ["present on an idle node, which has waited since its boot", { io: psi(line(812)), cpu: psi(line(0)) }, true],
    ["present where only the processor has waited", { io: psi(line(0)), cpu: psi(line(5)) }, true],
    ["absent where all are zeros, as on cgroup v1", { io: psi(line(0)), cpu: psi(line(0)) }, false],
    ["absent where there are none", { io: {}, cpu: {} }, false],
    ["absent where they are no figures", { io: { psi: null }, cpu: { psi: { some: null, full: "1" } } }, false],
  ])("are %s", (_case, node, expected) => expect(hasPressure({ node })).toBe(expected));
});
