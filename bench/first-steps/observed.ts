/** Waits for the first hold that a service in mode observe counts. */
import { setTimeout as delay } from "node:timers/promises";

/** Longer means that something is wrong, s. */
const GIVE_UP_SECONDS = 120;

/** @param metrics asks for the service's /metrics */
export async function firstObservedHold(metrics: () => Promise<string>): Promise<void> {
  const deadlineMs = performance.now() + GIVE_UP_SECONDS * 1000;
  while (!/^paceline_observed_holds_total\{[^}]*\} [1-9]/m.test(await metrics())) {
    if (performance.now() > deadlineMs) throw new Error(`no hold was observed in ${GIVE_UP_SECONDS} s`);
    await delay(100); // what a person does with curl
  }
}
