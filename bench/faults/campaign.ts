/** Many seeds, and what came of them. */
import { runSchedule, type Bug, type RunResult } from "./run.ts";
import { scheduleOf } from "./schedule.ts";

export interface Campaign {
  readonly seeds: number;
  readonly virtualHours: number;
  /** How many faults of each kind struck. */
  readonly faults: Readonly<Record<string, number>>;
  readonly failures: readonly RunResult[];
}

export interface CampaignOptions {
  readonly firstSeed: number;
  readonly seeds: number;
  readonly bug?: Bug | undefined;
  /** Ends after so many failures; default: never. */
  readonly mostFailures?: number;
  readonly tell?: (detail: string) => void;
}

const HOUR_MS = 3_600_000;

/** Runs one seed after another; equal options give equal results. */
export async function runCampaign(options: CampaignOptions): Promise<Campaign> {
  const { firstSeed, bug, mostFailures = Infinity, tell } = options;
  const faults: Record<string, number> = {};
  const failures: RunResult[] = [];
  let [seeds, virtualMs] = [0, 0];
  while (seeds < options.seeds && failures.length < mostFailures) {
    const result = await runSchedule(scheduleOf(firstSeed + seeds), bug);
    seeds += 1;
    virtualMs += result.virtualMs;
    for (const [kind, count] of Object.entries(result.faults)) faults[kind] = (faults[kind] ?? 0) + count;
    if (result.violation) failures.push(result);
    tell?.(`${seeds} of ${options.seeds} seeds, ${failures.length} failed`);
  }
  return { seeds, virtualHours: virtualMs / HOUR_MS, faults, failures };
}
