/** Builds what start checks look at: a node with one pod in startup, and a pod that brings nothing. */
import type { NodeClass } from "../../src/policy/schema.ts";
import { SECOND_MS } from "../../src/core/measures.ts";
import { initialLimit, type Limit } from "../../src/core/rules/limit.ts";
import type { StartInput } from "../../src/core/rules/start-checks.ts";
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
    waiting: 0,
    stuck: 0,
    reserved: [],
    offered: [],
    slotsInUse: 1,
    pulls: 0,
    donePulls: [],
    fetching: new Set(),
    bytesInFlight: 0,
    later: new Set(),
    laterBytes: 0,
    untilMs: Infinity,
    ...more,
    limit: { ...initialLimit(nodeClass, facts), slots: 6, ...limit },
  };
}

/** A node whose disk writes one byte a millisecond, where each byte of an image is one to write. */
export const onSlowDisk = (given: LoadGiven = {}): LoadGiven => ({
  nodeClass: slowClass,
  ...given,
  limit: { bytesPerSecond: SECOND_MS, ...given.limit },
});
export const slowClass: NodeClass = { ...defaultNodeClass, unpackRatio: 1 };
/** Bytes for which the disk of {@link onSlowDisk} needs so many seconds. */
export const secondsOf = (seconds: number) => seconds * SECOND_MS;

export const aCost = (given: Partial<Cost> = {}): Cost => ({
  ...{ newImages: [], newBytes: 0, newLaterBytes: 0, pulls: 0 },
  ...given,
});

/** What a test says of a start. */
export interface StartGiven {
  readonly load?: LoadGiven;
  readonly cost?: Partial<Cost>;
  readonly nowMs?: number;
  readonly onTheirWay?: number;
}

/** A start that nothing speaks against. */
export const aStart = ({ load, cost, nowMs = START_MS, onTheirWay = 0 }: StartGiven = {}): StartInput => ({
  load: aLoad(load),
  cost: aCost(cost),
  nowMs,
  onTheirWay,
});
