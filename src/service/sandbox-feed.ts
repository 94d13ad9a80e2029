/**
 * Follows the Events of sandboxes that kubelets could not make: a pod's status does not tell of them. A cluster may not
 * let us watch Events; then only failed containers count.
 */
import type { Pacer } from "../core/pacer.ts";
import { sandboxFailure, SANDBOX_FAILED } from "../kube/parse/sandbox-failure.ts";
import type { Reflector } from "../kube/watch/reflector.ts";
import { startReflector } from "../kube/watch/reflector.ts";
import type { ReflectorOptions } from "../kube/watch/reflector-options.ts";

export interface SandboxFeedOptions extends Pick<ReflectorOptions<never>, "client" | "clock" | "random" | "log"> {
  readonly pacer: Pick<Pacer, "observeSandboxFailure">;
  /** Called after every Event that counts. */
  readonly onChange: () => void;
}

/**
 * API servers keep no watch cache of Events, and so send no bookmarks (Kubernetes 1.36,
 * pkg/kubeapiserver/default_storage_factory_builder.go): a watch may be silent until it ends, after 60 to 120 s.
 */
const LIMITS = { watchSeconds: 60, idleMs: 150_000 };

/** Starts the reflector. */
export function startSandboxFeed({ pacer, onChange, ...options }: SandboxFeedOptions): Pick<Reflector, "stop"> {
  return startReflector({
    ...options,
    path: "/api/v1/events",
    query: { fieldSelector: `reason=${SANDBOX_FAILED}` },
    fromNow: true, // an Event of the past tells nothing of a limit that is learnt anew
    limits: LIMITS,
    parse: sandboxFailure,
    onUpsert(failure) {
      if (pacer.observeSandboxFailure(failure, options.clock.now())) onChange();
    },
    onDelete: () => undefined,
  });
}
