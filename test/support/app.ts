/** The HTTP app around the real decision core, without a cluster. Tests set the caches and the time. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { formatHold } from "../../src/kube/parse/annotations.ts";
import { podFacts } from "../../src/kube/parse/facts.ts";
import type { KubeObject } from "../../src/kube/parse/kube-json.ts";
import { createShapeInterner } from "../../src/kube/parse/shape-interner.ts";
import type { NodeFacts } from "../../src/core/facts.ts";
import { createPacer, type Pacer } from "../../src/core/pacer.ts";
import { nodeName } from "../../src/core/ids.ts";
import { defaultPolicy } from "../../src/policy/parse.ts";
import type { PacingPolicy } from "../../src/policy/schema.ts";
import { buildApp } from "../../src/server/app.ts";
import { type AppDependencies } from "../../src/server/dependencies.ts";
import { createMetrics } from "../../src/server/metrics.ts";
import type { ServiceState } from "../../src/server/state.ts";
import { START_MS } from "./core-facts.ts";

const FIXTURES = join(import.meta.dirname, "../server/fixtures");

/** A fresh copy of a body that a real API server or scheduler sent (test/server/record-fixtures.ts). */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller knows the fixture
export function recorded<T = Record<string, unknown>>(name: string): T {
  return JSON.parse(readFileSync(join(FIXTURES, `${name}.json`), "utf8")) as T;
}

/** The parts of a recorded AdmissionReview that tests use. */
export interface RecordedReview {
  readonly request: { uid: string; object: KubeObject & { metadata: { annotations?: Record<string, string> } } };
}

export interface TestAppOptions {
  readonly policy?: PacingPolicy;
  readonly nodes?: readonly NodeFacts[];
  readonly pacer?: Pacer;
  readonly state?: Partial<ServiceState>;
  readonly dependencies?: Partial<AppDependencies>;
}

/** One line of the log. */
export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

/** A state in which everything is fine: synced, led, policy in force. */
export function fineState(policy: PacingPolicy): ServiceState {
  return {
    replica: () => ({ synced: true, leaderAlive: true }),
    leader: () => ({ holder: "me", alive: true, leading: true }),
    policy: () => policy,
    policyValid: () => true,
    watchAgesMs: () => ({ pods: 1_500 }),
    telemetryAgesMs: () => new Map([[nodeName("a"), 250]]),
    eventsDropped: () => 0,
  };
}

/** Builds the app; nothing listens. The clock stands at START_MS. */
export function testApp({ policy = defaultPolicy(), nodes = [], pacer, state, dependencies }: TestAppOptions = {}) {
  const lines: LogLine[] = [];
  const log = pino({ level: "debug" }, { write: (line: string) => void lines.push(JSON.parse(line) as LogLine) });
  const core = pacer ?? createPacer(policy);
  for (const node of nodes) core.upsertNode(node, START_MS);
  const interner = createShapeInterner();
  const metrics = createMetrics();
  const app = buildApp({
    pacer: core,
    toPodFacts: (raw, { namespace }) => podFacts(raw as KubeObject, interner, { namespace, createdAtMs: START_MS }),
    formatHold,
    state: { ...fineState(policy), ...state },
    metrics,
    now: () => START_MS,
    version: "0.0.0-test",
    log,
    ...dependencies,
  });
  return { app, metrics, lines, pacer: core };
}

/** A pacer that throws on every call, for tests of failing open. */
export function brokenPacer(): Pacer {
  const fail = () => {
    throw new Error("broken on purpose");
  };
  return Object.assign(createPacer(defaultPolicy()), { admit: fail, offer: fail, score: fail, roomBehindPacing: fail });
}
