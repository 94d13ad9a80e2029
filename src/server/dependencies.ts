/** The dependencies of the HTTP server. */
import type { FastifyBaseLogger } from "fastify";
import type { Pacer } from "../core/pacer.ts";
import type { FormatHold, ToPodFacts } from "../webhooks/pods.ts";
import type { SchedulerNameOptions } from "../webhooks/scheduler-name.ts";
import type { Metrics } from "./metrics.ts";
import type { ServiceState } from "./state.ts";
import type { TlsMaterial } from "./tls.ts";

export interface AppDependencies {
  readonly pacer: Pacer;
  readonly toPodFacts: ToPodFacts;
  readonly formatHold: FormatHold;
  readonly state: ServiceState;
  readonly metrics: Metrics;
  readonly now: () => number;
  readonly version: string;
  readonly log: FastifyBaseLogger;
  /** Without it the server speaks plain HTTP (loopback, tests). */
  readonly tls?: TlsMaterial | undefined;
  /** The webhooks' routes demand a client certificate, too, not only the extender's. */
  readonly webhookClients?: boolean | undefined;
  /** The scheduler name that `/mutate/scheduler` gives to pods; without it there is no such route. */
  readonly secondScheduler?: Pick<SchedulerNameOptions, "schedulerName" | "isAlive"> | undefined;
  /** While true, every answer closes its connection, so that callers use another replica. */
  readonly isLeaving?: (() => boolean) | undefined;
}
