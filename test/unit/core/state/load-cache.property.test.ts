/**
 * A node's load comes from memory most of the time: it must be what summing it up anew would give, whatever happened.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { ClusterState } from "../../../../src/core/state/cluster-state.ts";
import { markUsed } from "../../../../src/core/rules/limit.ts";
import { nodeLoad } from "../../../../src/core/state/load.ts";
import { imageName, nodeName, podUID } from "../../../../src/core/ids.ts";
import { MIB } from "../../../../src/core/measures.ts";
import { defaultPolicy } from "../../../../src/policy/parse.ts";
import { aNode, aPod, aShape, bound, changed, START_MS, started } from "../../../support/core-facts.ts";

const NODES = ["n1", "n2"].map(nodeName);
const IMAGES = ["a", "b", "c"];
const policies = [30, 600].map((deadlineSeconds) => defaultPolicy({ startup: { deadlineSeconds } }));

const pod = fc.integer({ min: 0, max: 5 });
const node = fc.constantFrom(...NODES);
const image = fc.constantFrom(...IMAGES);
const podStep = fc.oneof(
  fc.record({ kind: fc.constantFrom("bind" as const, "reserve" as const, "offer" as const), pod, node, image }),
  fc.record({ kind: fc.constantFrom("start" as const, "stick" as const, "delete" as const), pod }),
);
const otherStep = fc.oneof(
  fc.record({ kind: fc.constant("pull" as const), node, image, mib: fc.integer({ min: 1, max: 500 }) }),
  fc.record({ kind: fc.constant("sample" as const), node }),
  fc.record({ kind: fc.constantFrom("use" as const, "replace" as const), node }),
  fc.record({ kind: fc.constant("policy" as const), which: fc.constantFrom(0, 1) }),
  fc.record({ kind: fc.constant("wait" as const), seconds: fc.integer({ min: -60, max: 90 }) }),
);
const steps = fc.array(fc.oneof(podStep, otherStep), { maxLength: 60 });
type ValueOf<Of> = Of extends fc.Arbitrary<infer Value> ? Value : never;

class Cluster {
  readonly state = new ClusterState(policies[1] ?? defaultPolicy());
  nowMs = START_MS;

  constructor() {
    for (const name of NODES) this.state.ledger.upsertNode(aNode(name), START_MS);
  }

  take(step: ValueOf<typeof podStep> | ValueOf<typeof otherStep>): void {
    if ("pod" in step) this.#takePod(step);
    else this.#takeOther(step);
  }

  #takePod(step: ValueOf<typeof podStep>): void {
    const { ledger, offers } = this.state;
    const known = ledger.pods.get(podUID(`uid-p${step.pod}`));
    if ("node" in step) {
      if (known?.node !== undefined) return;
      const shape = aShape({ image: step.image });
      const unbound = known ?? aPod(`p${step.pod}`, { shape, createdAtMs: this.nowMs });
      if (step.kind === "bind") ledger.upsertPod(bound(unbound, step.node, this.nowMs));
      else if (step.kind === "offer") offers.add(unbound, step.node, this.state.offerMs, this.nowMs);
      else ledger.upsertPod(changed(unbound, { reservation: { node: step.node, atMs: this.nowMs } }));
      return;
    }
    if (known && step.kind === "delete") ledger.deletePod(known.uid);
    else if (known?.node === undefined) return;
    else ledger.upsertPod(step.kind === "start" ? started(known) : changed(known, { waitingOn: "ErrImagePull" }));
  }

  #takeOther(step: ValueOf<typeof otherStep>): void {
    const { state } = this;
    if (step.kind === "wait") this.nowMs += step.seconds * 1_000;
    else if (step.kind === "policy") {
      state.setPolicy(policies[step.which] ?? state.policy);
    } else this.#takeNode(step);
  }

  #takeNode(step: Extract<ValueOf<typeof otherStep>, { kind: "pull" | "use" | "sample" | "replace" }>): void {
    const { state } = this;
    const facts = state.ledger.entry(step.node).facts ?? aNode(step.node);
    switch (step.kind) {
      case "sample":
        state.setSample(step.node, { atMs: this.nowMs, awaitMs: 5 });
        return;
      case "use":
        state.setLimit(step.node, markUsed(state.limitOf(facts)));
        return;
      case "replace":
        state.ledger.deleteNode(step.node);
        state.forgetNode(step.node);
        state.ledger.upsertNode(aNode(step.node, { uid: `${facts.uid} again` }), START_MS);
        return;
      case "pull": {
        const images = new Map([...facts.images, [imageName(step.image), step.mib * MIB]]);
        state.ledger.upsertNode(changed(facts, { images }), START_MS);
        state.catalogue.learn(images);
        return;
      }
      default:
        step satisfies never;
    }
  }

  /** The load from memory, and summed up anew. */
  loads(name: (typeof NODES)[number]) {
    const { state, nowMs } = this;
    const entry = state.ledger.entry(name);
    const facts = entry.facts ?? aNode(name);
    const remembered = state.loadOf(facts, nowMs);
    const offers = state.offers.livePods(name, state.offerMs, nowMs);
    const { nodeClass, limit, sample, donePulls } = remembered;
    const { deadlines, catalogue } = state;
    const { until } = state.policy.startup;
    return {
      remembered,
      anew: nodeLoad(entry, facts, { nodeClass, limit, sample, donePulls, offers, deadlines, until, catalogue }, nowMs),
    };
  }
}

test("a node's load from memory equals the load summed up anew", () => {
  fc.assert(
    fc.property(steps, (taken) => {
      const cluster = new Cluster();
      for (const step of taken) {
        cluster.take(step);
        for (const name of NODES) {
          const { remembered, anew } = cluster.loads(name);
          expect(remembered).toEqual(anew);
        }
      }
    }),
    { numRuns: 300 },
  );
});
