/** Measures pod admission in the handler at 1,000 requests/s, over real HTTP from another process. */
import { fork } from "node:child_process";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { podUID } from "../../src/core/ids.ts";
import { podFacts } from "../../src/kube/parse/facts.ts";
import type { PacingPolicy } from "../../src/policy/schema.ts";
import { type Figure, percentile } from "../figures.ts";
import { withProgress } from "../progress.ts";
import type { ClientOrder, ClientOutcome } from "./admission-client.ts";
import { benchApp, noteOf } from "./app.ts";
import { AGES, type Age, type LoadedPacer } from "./loaded-pacer.ts";
import { podObject } from "./objects.ts";

const REQUESTS_PER_SECOND = 1_000;
const WARM_UP_SECONDS = 2;
const SECONDS = 10;
const P99_MS = 5;
/** Time between two pods that come and two that go, ms: room changes, so remembered results become invalid. */
const CHURN_EVERY_MS = 10;

/** Figures for settled nodes, a mixture, and young nodes. */
export async function benchAdmission(loaded: LoadedPacer, policy: PacingPolicy): Promise<Figure[]> {
  const bench = benchApp(loaded, policy);
  await bench.app.listen({ host: "127.0.0.1", port: 0 });
  const figures: Figure[] = [];
  for (const age of AGES) figures.push(await admitAt(bench, loaded, age));
  await bench.app.close();
  return figures;
}

async function admitAt(
  { app, takeTimes }: ReturnType<typeof benchApp>,
  loaded: LoadedPacer,
  age: Age,
): Promise<Figure> {
  loaded.setAge(age);
  const { port } = app.server.address() as AddressInfo;
  const order = { port, perSecond: REQUESTS_PER_SECOND, daemonNodes: loaded.youngNodes().slice(0, 500) };
  const stopChurn = churn(loaded);
  const client = await withProgress(`admission, ${age.name}`, async () => {
    await sendFrom({ ...order, seconds: WARM_UP_SECONDS });
    takeTimes("mutate-pods");
    return sendFrom({ ...order, seconds: SECONDS });
  });
  stopChurn();
  const times = takeTimes("mutate-pods");
  const rate = times.length / SECONDS;
  const held = `${((100 * client.patched) / times.length).toFixed(0)} % held`;
  const seen = `${noteOf(times)}, ${rate.toFixed(0)} requests/s, ${held}, ${client.failed} failed; seen by the client p99 ${client.p99Ms.toFixed(1)} ms`;
  const complete = client.failed === 0 && rate >= 0.98 * REQUESTS_PER_SECOND;
  return {
    what: `pod admission p99, ${age.name}`,
    unit: "ms",
    note: seen,
    // A service that does not keep up has not met the budget, however quick the answers it gave.
    measured: complete ? percentile(times, 0.99) : Number.POSITIVE_INFINITY,
    budget: { kind: "at most", value: P99_MS },
  };
}

/** Runs the sending process and returns its results. @throws when it ends without a result */
async function sendFrom(order: ClientOrder): Promise<ClientOutcome> {
  const child = fork(join(import.meta.dirname, "admission-client.ts"), {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  try {
    child.send(order);
    const outcome = await Promise.race([
      once(child, "message").then(([message]) => message as ClientOutcome),
      once(child, "exit").then(() => undefined),
    ]);
    if (outcome === undefined) throw new Error("the process that sends requests ended early");
    return outcome;
  } finally {
    child.kill();
  }
}

/** Changes that a watch would bring meanwhile. */
function churn(loaded: LoadedPacer): () => void {
  let serial = 0;
  const timer = setInterval(() => {
    serial += 1;
    const { object } = podObject(serial, loaded.size, Date.now());
    const facts = podFacts(object, loaded.interner, { createdAtMs: Date.now() });
    loaded.upsert({ ...facts, uid: podUID(`churn-${serial}`), containersStarted: true, ready: true });
    loaded.pacer.deletePod(podUID(`churn-${serial - 10}`), Date.now());
  }, CHURN_EVERY_MS);
  return () => clearInterval(timer);
}
