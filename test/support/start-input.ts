/** Builds what start checks look at: a node with one pod in startup, and a pod that brings nothing. */
import { SECOND_MS } from "../../src/core/measures.ts";
import { initialLimit, type Limit } from "../../src/core/rules/limit.ts";
import type { StartContext, StartInput } from "../../src/core/rules/check.ts";
import { Ledger } from "../../src/core/state/ledger.ts";
import type { Cost, NodeLoad } from "../../src/core/state/load.ts";
import { defaultNodeClass } from "../../src/policy/resolve.ts";
import { aNode, START_MS } from "./core-facts.ts";

/** What a test says of a load. */
export type LoadGiven = Partial<Omit<NodeLoad, "limit">> & { readonly limit?: Partial<Limit> };

/** A load of 16 cores and 6 slots, one of which is in use. */
export function aLoad(given: LoadGiven = {}): NodeLoad {
  const { limit, ...more } = given;
  const facts = more.facts ?? aNode("n1");
  const nodeClass = more.nodeClass ?? defaultNodeClass;
  return {
    entry: new Ledger("ContainersStarted").entry(facts.name),
    facts,
    nodeClass,
    sample: undefined,
    inStartup: [],
    stuck: 0,
    reserved: [],
    offered: [],
    slotsInUse: 1,
    fetchers: 0,
    pulls: 0,
    donePulls: [],
    fetching: new Set(),
    bytesInFlight: 0,
    untilMs: Infinity,
    ...more,
    limit: { ...initialLimit(nodeClass), ...limit },
  };
}

/** The disk of {@link secondsOf}: it writes one byte a millisecond, and each byte of an image is one to write. */
export const slowDisk: Partial<Limit> = { bytesPerSecond: SECOND_MS, unpackRatio: 1 };
/** Bytes for which the {@link slowDisk} needs so many seconds. */
export const secondsOf = (seconds: number) => seconds * SECOND_MS;

export const aCost = (given: Partial<Cost> = {}): Cost => ({
  newImages: [],
  newBytes: 0,
  pulls: 0,
  follows: false,
  ...given,
});

/** What a test says of a start. */
export interface StartGiven {
  readonly load?: LoadGiven;
  readonly cost?: Partial<Cost>;
  readonly nowMs?: number;
  readonly context?: Partial<StartContext>;
}

/** A start that nothing speaks against. */
export const aStart = ({ load, cost, nowMs = START_MS, context }: StartGiven = {}): StartInput => ({
  load: aLoad(load),
  cost: aCost(cost),
  nowMs,
  context: { onTheirWay: 0, fetchersWaiting: 0, betterNode: undefined, ...context },
});
