/** `--prometheus`: which one is asked and how, and what it has of each herd. */
import { UsageError } from "../api/usage-error.ts";
import { nodeName } from "../core/ids.ts";
import { messageOf } from "../policy/messages.ts";
import type { PacingPolicy } from "../policy/schema.ts";
import { Telemetry, type TelemetryOf } from "../policy/telemetry.ts";
import type { Herd } from "../recording/herd.ts";
import { herdTelemetry, type HerdTelemetry, youngWindow } from "../recording/herd-telemetry.ts";
import { prometheusRange } from "../telemetry/prometheus-range.ts";
import { QUIET_MS, withProgress } from "./progress.ts";

type Settings = TelemetryOf<"prometheus">;

/**
 * Node label, selector, device, TLS and credentials are those of the policy, if its source is Prometheus, as the
 * service would use them.
 * @throws UsageError for a URL that no policy may have either
 */
export function prometheusSettings(url: string, policy: PacingPolicy | undefined): Settings {
  const own = policy?.telemetry.source === "prometheus" ? policy.telemetry : { source: "prometheus" };
  const parsed = Telemetry.safeParse({ ...own, url }, { error: messageOf, reportInput: true });
  if (parsed.success && parsed.data.source === "prometheus") return parsed.data;
  const message = parsed.error?.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`).join("; ") ?? "";
  throw new UsageError(`--prometheus ${withoutPassword(url)}: ${message}`);
}

/** A password in the address must not get into logs. */
const withoutPassword = (url: string) => url.replace(/\/\/[^/]*@/, "//…@");

/** What Prometheus has of each herd. @throws TelemetryFailure */
export function telemetryOf(herds: readonly Herd[], settings: Settings): Promise<ReadonlyMap<Herd, HerdTelemetry>> {
  const ask = async (tell: (what: string) => void) => {
    const found = new Map<Herd, HerdTelemetry>();
    for (const [at, herd] of herds.entries()) {
      tell(`herd ${at + 1} of ${herds.length}`);
      const targets = herd.nodes.map(({ name, address }) => ({ name: nodeName(name), address, paced: true }));
      found.set(herd, herdTelemetry(herd, await prometheusRange({ settings, targets, ...youngWindow(herd) })));
    }
    return found;
  };
  return withProgress("asking Prometheus", ask, { quietForMs: QUIET_MS });
}
