/**
 * What `npm run bench:replay` compared, as a table and in docs/replay.md. `node bench/replay/truth.ts` writes the page
 * from docs/figures alone.
 */
import { fileURLToPath } from "node:url";
import { keepFigures, type Measured, measuredWhere, pageWith, readFigures, writePage } from "../../dev/docs/figures.ts";
import { aligned } from "../../src/simulate/report/table.ts";

/** Seconds; the forecast is NaN if there is none. */
export interface Told {
  readonly measured: number;
  readonly forecast: number;
}

/** A measured round or several of Paceline, and the forecast of it from the recording of a round all at once. */
export interface Compared {
  /** Setting and number of the recorded round. */
  readonly round: string;
  readonly strategy: "all at once" | "Paceline";
  readonly allReady: Told;
  readonly meanReady: Told;
  /** Failed starts of each round, `pull QPS exceeded` among them. */
  readonly failed: readonly number[];
  readonly forecastFailed: number;
}

export interface Truth extends Measured {
  readonly compared: readonly Compared[];
}

const PAGE = "docs/replay.md";
const HEAD = ["round, strategy", "all Ready, s", "forecast", "off", "mean, s", "forecast", "off", "failed", "forecast"];

/** How far a forecast is off, as a share of what was measured. */
export const offBy = ({ measured, forecast }: Told): number => forecast / measured - 1;
const percent = (share: number) => `${share >= 0 ? "+" : "−"}${Math.round(Math.abs(share) * 100)} %`;
const number = (value: number, digits: number) => (Number.isNaN(value) ? "-" : value.toFixed(digits));
const cells = (told: Told) => [
  told.measured.toFixed(1),
  number(told.forecast, 1),
  Number.isNaN(told.forecast) ? "-" : percent(offBy(told)),
];

export function truthTable(compared: readonly Compared[]): string {
  const rows = compared.map(({ round, strategy, allReady, meanReady, failed, forecastFailed }) => [
    `${round}, ${strategy}`,
    ...cells(allReady),
    ...cells(meanReady),
    ...[failed.join(", "), number(forecastFailed, 0)],
  ]);
  return aligned([HEAD, ...rows]);
}

/** docs/replay.md with what was compared last. */
export async function truthPage(): Promise<string> {
  const { compared, ...where } = (await readFigures("replay-truth")) as Truth;
  const text = `\`\`\`text\n${truthTable(compared)}\n\`\`\`\n\n${measuredWhere(where)}`;
  return pageWith(PAGE, new Map([["replay-truth", text]]));
}

/** Keeps what was compared, and writes it into the page. */
export async function writeTruth(truth: Truth): Promise<void> {
  await keepFigures("replay-truth", truth);
  await writePage(PAGE, await truthPage());
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await writePage(PAGE, await truthPage());
