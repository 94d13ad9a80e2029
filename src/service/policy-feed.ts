/** The policy in force: followed in its ConfigMap, or read once from a file. The last good one stays in force. */
import { readFile } from "node:fs/promises";
import { DEFAULT_NAMESPACE, POLICY_CONFIG_MAP } from "../api/names.ts";
import type { ApiClient } from "../kube/client/api-client.ts";
import type { Clock } from "../kube/clock.ts";
import type { EventRecorder } from "../kube/write/events.ts";
import type { KubeObject } from "../kube/parse/kube-json.ts";
import type { Log } from "../kube/log.ts";
import { startReflector } from "../kube/watch/reflector.ts";
import { parsePolicy, parsePolicyConfigMap, type PolicyError, type PolicyResult } from "../policy/parse.ts";
import type { PacingPolicy } from "../policy/schema.ts";
import { UsageError } from "../api/usage-error.ts";

export interface PolicyFeed {
  /** Undefined until a valid policy has been read. */
  readonly current: PacingPolicy | undefined;
  /** False while the cluster's policy has errors. */
  readonly isValid: boolean;
  /** True once the ConfigMap has been read: from now on, undefined `current` means that there is no valid policy. */
  readonly isRead: boolean;
  /** When the API server was last heard, epoch ms; undefined with a file. */
  readonly lastContactMs: number | undefined;
  /** Resolves when a valid policy has been read for the first time. */
  readonly loaded: Promise<void>;
  stop(): Promise<void>;
}

/** Called with every valid policy, the first included. */
export type OnPolicy = (policy: PacingPolicy) => void;

const listed = (errors: readonly PolicyError[]) => errors.map(({ message }) => `- ${message}`).join("\n");

/** @throws UsageError when the file cannot be read or has errors. */
export async function policyFromFile(file: string, onPolicy: OnPolicy): Promise<PolicyFeed> {
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new UsageError(`--policy ${file} cannot be read: ${(cause as Error).message}`, { cause });
  });
  const result = parsePolicy(text);
  if (!result.ok) throw new UsageError(`--policy ${file} has errors:\n${listed(result.errors)}`);
  onPolicy(result.policy);
  return {
    current: result.policy,
    isValid: true,
    isRead: true,
    lastContactMs: undefined,
    loaded: Promise.resolve(),
    stop: () => Promise.resolve(),
  };
}

export interface PolicyFeedOptions {
  readonly client: ApiClient;
  /** Namespace of the ConfigMap. */
  readonly namespace?: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly events: Pick<EventRecorder, "emit">;
  readonly onPolicy: OnPolicy;
}

/** Follows the ConfigMap. */
export function followPolicy({
  namespace = DEFAULT_NAMESPACE,
  events,
  onPolicy,
  ...options
}: PolicyFeedOptions): PolicyFeed {
  const { log } = options;
  const state = { current: undefined as PacingPolicy | undefined, isValid: true };
  const loaded = Promise.withResolvers<undefined>();

  const take = (configMap: KubeObject, result: PolicyResult) => {
    state.isValid = result.ok;
    if (!result.ok) {
      const kept = state.current === undefined ? "pacing stays off" : "the last good one stays in force";
      log.error({ errors: result.errors.map(({ message }) => message) }, `the policy has errors; ${kept}`);
      events.emit(invalidPolicyEvent(configMap, `The policy has errors; ${kept}:\n${listed(result.errors)}`));
      return;
    }
    state.current = result.policy;
    onPolicy(result.policy);
    log.info({ mode: result.policy.mode, resourceVersion: configMap.metadata?.resourceVersion }, "policy in force");
    loaded.resolve(undefined);
  };
  const reflector = startReflector<KubeObject>({
    ...options,
    path: `/api/v1/namespaces/${namespace}/configmaps`,
    query: { fieldSelector: `metadata.name=${POLICY_CONFIG_MAP}` },
    parse: (raw) => raw,
    onUpsert: (raw) => take(raw, parsePolicyConfigMap(raw as Parameters<typeof parsePolicyConfigMap>[0])),
    onDelete: () =>
      log.warn({ namespace }, `ConfigMap ${POLICY_CONFIG_MAP} was deleted; its last policy stays in force`),
  });
  return {
    get current() {
      return state.current;
    },
    get isValid() {
      return state.isValid;
    },
    get isRead() {
      return reflector.isSynced;
    },
    get lastContactMs() {
      return reflector.lastContactMs;
    },
    loaded: loaded.promise.then(() => undefined),
    stop: () => reflector.stop(),
  };
}

function invalidPolicyEvent({ metadata = {} }: KubeObject, note: string) {
  const { namespace, name = POLICY_CONFIG_MAP, uid = "" } = metadata;
  const regarding = { apiVersion: "v1", kind: "ConfigMap", namespace, name, uid };
  return { regarding, type: "Warning", reason: "InvalidPolicy", action: "Validate", note } as const;
}
