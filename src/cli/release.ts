/** `paceline release`: releases held pods and lifts fences, without the service. Janitor and uninstall hook run it. */
import { setTimeout as delay } from "node:timers/promises";
import { Command } from "commander";
import { DEFAULT_NAMESPACE, POLICY_CONFIG_MAP } from "../api/names.ts";
import type { ApiClient } from "../kube/client/api-client.ts";
import type { Clock } from "../kube/clock.ts";
import { removeWebhooks } from "../kube/write/remove-webhooks.ts";
import { parsePolicyConfigMap } from "../policy/parse.ts";
import { isLeaderSeen } from "../kube/leader/leader-seen.ts";
import { sweepAhead } from "../release/sweep-ahead.ts";
import { planSweep, sweep, type SweepPlan, type SweepResult, type SweepScope } from "../release/sweep.ts";
import { UsageError } from "../api/usage-error.ts";
import { type Caps, CAPS_WITHOUT_POLICY } from "../policy/caps.ts";
import { type ClusterFlags, withCluster } from "./connect.ts";

/**
 * An uninstall looks again after this long, in ms. After the webhooks are gone an admission may still be on its way:
 * their time-out is 2 s, and another API server may learn of the removal a moment later. Assumed.
 */
const SETTLE_MS = 3_000;
/** Rounds of an uninstall before it gives up on pods that other programs keep writing to. */
const MAX_ROUNDS = 10;

interface ReleaseFlags extends ClusterFlags {
  readonly all?: true;
  readonly expired?: true;
  readonly ahead?: number;
  readonly dryRun?: true;
  readonly namespace?: string;
  readonly node?: string;
  readonly uninstall?: true;
  readonly pacelineNamespace: string;
  readonly webhookConfiguration: string;
  readonly json?: true;
}

/** The command with its flags. */
export function releaseCommand(): Command {
  return new Command("release")
    .description(
      "Let held pods go and lift fences, without the service: everything, or what is past its cap. Exit 1 when something could not be released.",
    )
    .option("--all", "every held pod and every fence")
    .option(
      "--expired",
      "pods held for longer than the policy's maxHoldSeconds, fences up for longer than its maxSeconds",
    )
    .option(
      "--ahead <seconds>",
      "with --expired: also what reaches its cap within this time, each when it does; ends after it (the janitor's flag)",
      wholeSeconds,
    )
    .option("--dry-run", "only print what would be released")
    .option("-n, --namespace <name>", "only pods of this namespace; fences stay")
    .option("--node <name>", "only this node's fence, and the pods that wait for this node")
    .option("--uninstall", "with --all: remove Paceline's webhooks first, and look again until nothing is held")
    .option(
      "--paceline-namespace <name>",
      "namespace of Paceline's policy",
      process.env["PACELINE_NAMESPACE"] ?? DEFAULT_NAMESPACE,
    )
    .option("--webhook-configuration <name>", "name of Paceline's webhook configurations", "paceline")
    .option("--kubeconfig <file>", "kubeconfig to use; default as for serve")
    .option("--context <name>", "context of the kubeconfig; default: its current one")
    .option("--json", "print one JSON object")
    .action((flags: ReleaseFlags) => release(flags));
}

/** A run of the janitor lasts minutes at most, s. */
const LONGEST_AHEAD = 600;

function wholeSeconds(text: string): number {
  const seconds = Number(text);
  if (Number.isInteger(seconds) && seconds >= 0 && seconds <= LONGEST_AHEAD) return seconds;
  throw new UsageError(`--ahead takes whole seconds, ${LONGEST_AHEAD} at most`);
}

function scopeOf({ all, expired, ahead, namespace, node, uninstall, dryRun }: ReleaseFlags): SweepScope {
  if ((all === undefined) === (expired === undefined)) throw new UsageError("give either --all or --expired");
  if (ahead !== undefined && !expired) throw new UsageError("--ahead goes with --expired only");
  if (uninstall && (!all || dryRun || namespace !== undefined || node !== undefined)) {
    throw new UsageError("--uninstall goes with --all only: it takes everything away");
  }
  return { which: all ? "all" : "expired", namespace, node };
}

async function release(flags: ReleaseFlags): Promise<void> {
  const scope = scopeOf(flags);
  await withCluster(flags, async (client, clock) => {
    if (flags.uninstall) {
      report(flags, await uninstall(client, flags, clock));
      return;
    }
    if (scope.which === "expired") return releaseExpired(client, scope, flags, clock);
    const plan = await planSweep(client, scope, CAPS_WITHOUT_POLICY, { nowMs: clock.now() });
    if (flags.dryRun) preview(flags, plan);
    else report(flags, await sweep(client, plan, clock.now()));
  });
}

async function releaseExpired(client: ApiClient, scope: SweepScope, flags: ReleaseFlags, clock: Clock): Promise<void> {
  const { ahead = 0, pacelineNamespace, dryRun } = flags;
  const caps = await capsInForce(client, pacelineNamespace);
  const leaderless = !(await isLeaderSeen(client, pacelineNamespace, clock));
  const aheadMs = ahead * 1_000;
  const runClock = { now: () => clock.now(), wait: (ms: number) => delay(ms) };
  if (dryRun) preview(flags, await planSweep(client, scope, caps, { nowMs: clock.now(), aheadMs, leaderless }));
  else report(flags, await sweepAhead(client, scope, caps, { aheadMs, leaderless }, runClock));
}

/** The policy's caps. If the policy cannot be read, the longest possible ones, so that no pod is released too early. */
export async function capsInForce(client: ApiClient, namespace: string): Promise<Caps> {
  const path = `/api/v1/namespaces/${namespace}/configmaps/${POLICY_CONFIG_MAP}`;
  const raw = await client.get(path).catch((error: unknown) => {
    process.stderr.write(`paceline: the policy cannot be read (${(error as Error).message}); using the longest caps\n`);
    return undefined;
  });
  const result = raw && parsePolicyConfigMap(raw as Parameters<typeof parsePolicyConfigMap>[0]);
  if (!result?.ok) return CAPS_WITHOUT_POLICY;
  const { policy } = result;
  return { holdSeconds: policy.maxHoldSeconds, fenceSeconds: policy.fence.maxSeconds };
}

/** Webhooks first, then sweeps until two in a row, {@link SETTLE_MS} apart, find nothing. */
async function uninstall(client: ApiClient, flags: ReleaseFlags, clock: Clock): Promise<SweepResult[]> {
  const results: SweepResult[] = [];
  await removeWebhooks(client, flags.webhookConfiguration);
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const plan = await planSweep(client, { which: "all" }, CAPS_WITHOUT_POLICY, { nowMs: clock.now() });
    if (round > 0 && plan.pods.length + plan.nodes.length === 0) break;
    results.push(...(await sweep(client, plan, clock.now())));
    await delay(SETTLE_MS);
  }
  return lastOutcomes(results);
}

/** The last outcome of each object: what a later round achieved counts as done. */
function lastOutcomes(results: readonly SweepResult[]): SweepResult[] {
  return [...new Map(results.map((one) => [`${one.kind}/${one.namespace ?? ""}/${one.name}`, one])).values()];
}

function preview({ json }: ReleaseFlags, { pods, nodes }: SweepPlan): void {
  const found = {
    dryRun: true,
    pods: pods.map(({ namespace, name }) => ({ namespace, name })),
    nodes: nodes.map(({ name }) => ({ name })),
  };
  const lines = [
    ...found.nodes.map(({ name }) => `would lift the fence of node ${name}`),
    ...found.pods.map(({ namespace, name }) => `would release pod ${namespace}/${name}`),
    `${found.pods.length} pods and ${found.nodes.length} fences would be released`,
  ];
  process.stdout.write(json ? `${JSON.stringify(found)}\n` : `${lines.join("\n")}\n`);
}

function report({ json }: ReleaseFlags, results: readonly SweepResult[]): void {
  const released = (kind: SweepResult["kind"]) =>
    results.filter((one) => one.kind === kind && one.outcome === "released").length;
  const failed = results.filter(({ outcome }) => outcome === "failed" || outcome === "conflict");
  const sums = { pods: released("Pod"), fences: released("Node"), failed: failed.length };
  const lines = [
    ...failed.map(({ kind, namespace, name, outcome, message }) => {
      const what = `${kind} ${namespace === undefined ? "" : `${namespace}/`}${name}`;
      return `${what}: ${message ?? outcome}; run it again`;
    }),
    `released ${sums.pods} pods and ${sums.fences} fences${failed.length === 0 ? "" : `; ${failed.length} not`}`,
  ];
  process.stdout.write(json ? `${JSON.stringify({ ...sums, results })}\n` : `${lines.join("\n")}\n`);
  if (failed.length > 0) process.exitCode = 1;
}
