/** Policies to try on a herd: what an operator would state of its nodes, and the figures that are worth varying. */
import { DEFAULT_NODE_CLASS_NAME } from "../policy/node-class.ts";
import { parsePolicy } from "../policy/parse.ts";
import { type PacingPolicy, POLICY_API_VERSION, POLICY_KIND } from "../policy/schema.ts";
import type { RecordedNode } from "../recording/recording.ts";
import { scenarioFrom } from "../simulate/scenario/parse.ts";
import type { ScenarioFile } from "./variants.ts";

export interface Recommended {
  /** What is special about it. */
  readonly words: string;
  /** The part of a policy to copy. */
  readonly nodeClasses: readonly object[];
  readonly policy: PacingPolicy;
}

const CLASS_LABEL = "node.kubernetes.io/instance-type";
/** Shares of the kubelet's time-out that the disk may owe; the policy's default is a third. */
const DRAIN_SHARES = [1 / 3, 1 / 2, 1 / 6];
const MOST_SLOTS = [32, 12];

export function candidates(file: ScenarioFile, nodes: readonly RecordedNode[]): readonly Recommended[] {
  const parsed = scenarioFrom(file);
  if (!parsed.ok) return [];
  const { kubelet, nodes: entries } = parsed.scenario;
  const { registryPullQPS: qps, registryBurst: burst, runtimeRequestTimeoutSeconds: timeOut } = kubelet;
  const disks = new Map(nodes.map(({ instanceType }, at) => [instanceType, entries[at]?.disk.mibPerSecond]));
  return DRAIN_SHARES.flatMap((share) =>
    MOST_SLOTS.flatMap((max) => {
      const drainSeconds = Math.max(1, Math.min(119, Math.round(timeOut * share)));
      const common = { drainSeconds, pullQPS: { qps, burst }, ...(max !== 32 && { slots: { max } }) };
      const nodeClasses = classesOf(disks, common);
      const text = JSON.stringify({ apiVersion: POLICY_API_VERSION, kind: POLICY_KIND, nodeClasses });
      const policy = parsePolicy(text);
      const words = `drainSeconds ${drainSeconds}, slots.max ${max}`;
      return policy.ok ? [{ words, nodeClasses, policy: policy.policy }] : [];
    }),
  );
}

/** One class for each disk that is told apart, and the default class, which comes last. */
function classesOf(disks: ReadonlyMap<string, number | undefined>, common: object): readonly object[] {
  const named = [...disks].filter(([type]) => type !== "");
  const disk = (mibPerSecond: number | undefined) =>
    mibPerSecond !== undefined && mibPerSecond >= 1 && { diskMiBPerSecond: mibPerSecond };
  if (named.length <= 1) {
    const [only] = named.length === 1 ? named : disks;
    return [{ name: DEFAULT_NODE_CLASS_NAME, ...disk(only?.[1]), ...common }];
  }
  const classes = named.slice(0, 50).map(([type, mibPerSecond], at) => ({
    name: classNameOf(type, at),
    selector: { matchLabels: { [CLASS_LABEL]: type } },
    ...disk(mibPerSecond),
    ...common,
  }));
  return [...classes, { name: DEFAULT_NODE_CLASS_NAME, ...common }];
}

const classNameOf = (type: string, at: number) =>
  `${
    type
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "-")
      .replace(/^-|-$/g, "")
      .slice(0, 50) || "class"
  }-${at + 1}`;
