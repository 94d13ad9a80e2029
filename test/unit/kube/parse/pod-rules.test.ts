import { describe, expect, it } from "vitest";
import { podRules } from "../../../../src/kube/parse/pod-rules.ts";

const IGNORED = "IgnoredDuringExecution";
const term = (selector: object, more: object = {}) => ({ labelSelector: selector, topologyKey: "zone", ...more });
const app = { matchLabels: { app: "db" } };
const labelsOf = (spec: object) => podRules(spec as Record<string, unknown>).podRules?.labels;

describe("a pod's rules about other pods", () => {
  it("name the label keys of required affinity, anti-affinity and spreading that must be kept", () => {
    expect(labelsOf({ affinity: { podAffinity: { [`requiredDuringScheduling${IGNORED}`]: [term(app)] } } })).toEqual([
      "app",
    ]);
    const tier = term({ matchExpressions: [{ key: "tier", operator: "Exists" }] }, { matchLabelKeys: ["hash"] });
    const affinity = { podAntiAffinity: { [`requiredDuringScheduling${IGNORED}`]: [tier, term(app)] } };
    expect(labelsOf({ affinity })).toEqual(["app", "hash", "tier"]);
    const spread = { labelSelector: app, whenUnsatisfiable: "DoNotSchedule", mismatchLabelKeys: ["team"] };
    expect(labelsOf({ topologySpreadConstraints: [spread] })).toEqual(["app", "team"]);
  });

  it("are none where they are only preferred, or where what is there is no rule", () => {
    const preferred = { podAffinity: { [`preferredDuringScheduling${IGNORED}`]: [{ podAffinityTerm: term(app) }] } };
    const spread = { labelSelector: app, whenUnsatisfiable: "ScheduleAnyway" };
    expect(podRules({ affinity: preferred, topologySpreadConstraints: [spread] })).toEqual({});
    expect(podRules({ affinity: "none", topologySpreadConstraints: 5 })).toEqual({});
  });

  it("differ where anything in them differs", () => {
    const textOf = (spec: object) => podRules(spec as Record<string, unknown>).podRules?.text;
    const required = (kind: string, ...terms: object[]) => ({
      affinity: { [kind]: { [`requiredDuringScheduling${IGNORED}`]: terms } },
    });
    const texts = [
      required("podAffinity", term(app)),
      required("podAntiAffinity", term(app)),
      required("podAntiAffinity", term(app, { topologyKey: "host" })),
    ].map(textOf);
    expect(new Set(texts).size).toBe(3);
  });
});
