/**
 * Tells the other replicas, by the leader's Lease, when this one was last asked about a new pod, and hears it of them.
 * The API server keeps its connections, so all questions may go to one replica while another one leads.
 */
import { ASKED_ANNOTATION, LEADER_LEASE } from "../api/names.ts";
import type { Pacer } from "../core/pacer.ts";
import type { ApiClient } from "../kube/client/api-client.ts";
import { type Clock, pause } from "../kube/clock.ts";
import type { LeaderElection } from "../kube/leader/lease.ts";
import type { Log } from "../kube/log.ts";

export interface AskedNoteOptions {
  readonly client: Pick<ApiClient, "patch">;
  readonly pacer: Pick<Pacer, "silence">;
  readonly election: Pick<LeaderElection, "askedMs">;
  readonly namespace: string;
  /** The API server's time. */
  readonly clock: Clock;
  readonly log: Log;
  /** The replica answers no webhook, and has no right to write. */
  readonly followOnly?: boolean | undefined;
}

/** Time between two looks at the Lease as the election last read it, ms. */
const LOOK_MS = 5_000;
/** A note younger than this is left alone, ms: each one costs the leader's next renewal a conflict. */
const EACH_MS = 60_000;

/** @returns a function that ends it */
export function startAskedNote(options: AskedNoteOptions): () => Promise<void> {
  const stopping = new AbortController();
  const running = run(options, stopping.signal);
  return () => {
    stopping.abort();
    return running;
  };
}

async function run(options: AskedNoteOptions, signal: AbortSignal): Promise<void> {
  const { pacer, election, clock, log, followOnly } = options;
  let triedMs = -Infinity;
  while (!signal.aborted) {
    const notedMs = election.askedMs ?? -Infinity;
    pacer.silence.asked(notedMs);
    const askedMs = pacer.silence.askedMs ?? -Infinity;
    const isDue = clock.now() - Math.max(notedMs, triedMs) >= EACH_MS;
    if (followOnly !== true && askedMs > notedMs && isDue) {
      triedMs = clock.now();
      await write(options, askedMs).catch((err: unknown) =>
        log.warn({ err }, "when a webhook was last asked could not be noted on the Lease"),
      );
    }
    await pause(clock, LOOK_MS, signal);
  }
}

/** Unconditional, and touches nothing else: whatever the Lease says of leadership stays as it is. */
function write({ client, namespace }: AskedNoteOptions, askedMs: number): Promise<unknown> {
  const path = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/${LEADER_LEASE}`;
  const annotations = { [ASKED_ANNOTATION]: new Date(askedMs).toISOString() };
  return client.patch(path, { metadata: { annotations } }, "merge");
}
