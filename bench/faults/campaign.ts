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
  readonly mostFailures?: number | undefined;
  /** Called after each run with the number of runs so far. */
  readonly onRun?: (seeds: number) => void;
}

const HOUR_MS = 3_600_000;

/** Runs one seed after another; equal options give equal results. */
export async function runCampaign(options: CampaignOptions): Promise<Campaign> {
  const { firstSeed, bug, mostFailures = Infinity, onRun } = options;
  const campaigns: Campaign[] = [];
  let failed = 0;
  for (let seed = firstSeed; seed < firstSeed + options.seeds && failed < mostFailures; seed++) {
    const result = await runSchedule(scheduleOf(seed), bug);
    if (result.violation) failed += 1;
    campaigns.push({
      seeds: 1,
      virtualHours: result.virtualMs / HOUR_MS,
      faults: result.faults,
      failures: result.violation ? [result] : [],
    });
    onRun?.(campaigns.length);
  }
  return together(campaigns);
}

/** Several campaigns as one. */
export function together(campaigns: readonly Campaign[]): Campaign {
  const faults: Record<string, number> = {};
  for (const campaign of campaigns) {
    for (const [kind, count] of Object.entries(campaign.faults)) faults[kind] = (faults[kind] ?? 0) + count;
  }
  const sum = (of: (campaign: Campaign) => number) => campaigns.reduce((total, campaign) => total + of(campaign), 0);
  return {
    seeds: sum(({ seeds }) => seeds),
    virtualHours: sum(({ virtualHours }) => virtualHours),
    faults,
    failures: campaigns.flatMap(({ failures }) => failures),
  };
}
