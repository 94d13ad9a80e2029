/** The choice for people (`table`) and for programs (`json`). */
import { counted } from "../replay/report/words.ts";
import type { Choice, SimulatedFigures } from "./choose.ts";
import { diskPerListed } from "./formats/packer.ts";
import { gib, totalBytes } from "./formats/prewarm-list.ts";
import type { ClassPrewarm, Forecast, LeftOut } from "./prewarm.ts";

/** Images that are told by name of those that are left out. */
const MOST_LEFT_OUT = 10;

export const nameOfClass = (className: string) => (className === "" ? "unknown instance type" : className);

export function tableReport(classes: readonly ClassPrewarm[], budgetBytes: number): string {
  return classes.map((one) => classTable(one, budgetBytes)).join("\n");
}

function classTable(one: ClassPrewarm, budgetBytes: number): string {
  const { className, nodes, sizes, chosen, forecast, reasons } = one;
  const bytes = totalBytes(chosen);
  const head = `Young nodes of ${nameOfClass(className)}: ${nodes} in this recording`;
  const disk = sizes === "compressed" ? ` (about ${gib(bytes * diskPerListed[sizes])} on the disk)` : "";
  const kept = `${counted(chosen.length, "image")} of ${gib(bytes)} ${sizes}${disk}, budget ${gib(budgetBytes)}`;
  const rows = chosen.map(({ ref, bytes: size, digest, demand }) => [
    `${(size / 1e6).toFixed(0)} MB`,
    `${demand.nodes} of ${nodes}`,
    String(demand.podsWaited),
    `${ref}${digest === undefined || ref.includes("@") ? "" : `  ${digest.slice(0, 19)}…`}`,
  ]);
  const images =
    rows.length > 0 ? [...aligned([["SIZE", "NODES THAT FETCHED IT", "PODS THAT WAITED", "IMAGE"], ...rows]), ""] : [];
  return [
    ...[head, "", ...images, kept],
    ...leftOutLines(one),
    "",
    ...(forecast ? forecastLines(forecast) : ["No forecast: chosen by what was counted alone."]),
    ...reasons.map((reason) => `  ${reason}`),
    "",
  ].join("\n");
}

const words: Readonly<Record<LeftOut, string>> = {
  unknownSize: "size unknown (add the output of kubectl get nodes -o json)",
  noReference: "its name is no image reference",
  largerThanBudget: "larger than the budget",
  savesLess: "saves less than those above",
};

function leftOutLines({ leftOut }: ClassPrewarm): string[] {
  const groups = [...Map.groupBy(leftOut, ({ why }) => why)];
  return groups.map(([why, some]) => {
    const names = some.slice(0, MOST_LEFT_OUT).map(({ demand }) => demand.ref.slice(0, 300));
    const more = some.length > names.length ? ` and ${some.length - names.length} more` : "";
    return `Left out, ${words[why]}: ${names.join(", ")}${more}`;
  });
}

function forecastLines({ firstHerd, meanOfHerds, herds, setsTried, how }: NonNullable<ClassPrewarm["forecast"]>) {
  return [
    `Forecast by the simulator. ${waysOf(setsTried)[how]}`,
    "",
    ...aligned([
      ["", "MEAN READY", "ALL READY", "FAILED STARTS"],
      ...forecastRows("first herd", firstHerd),
      ...(herds > 1 ? forecastRows(`mean of ${herds} herds`, meanOfHerds) : []),
    ]),
  ];
}

const waysOf = (sets: number): Readonly<Record<Choice["how"], string>> => ({
  everySet: "It tried every set of images within the budget.",
  allFit: "All images of known size fit into the budget.",
  someSets: `It tried ${sets} of the sets of images within the budget.`,
});

const forecastRows = (name: string, forecast: Forecast) => [
  row(`${name}: as it was`, forecast.asRecorded),
  row(`${name}: with these images`, forecast.prewarmed),
  row(`${name}: with Paceline`, forecast.paceline),
  row(`${name}: with both`, forecast.prewarmedWithPaceline),
];

const row = (name: string, { meanReadySeconds, allReadySeconds, failedStarts }: SimulatedFigures) => [
  name,
  `${meanReadySeconds.toFixed(1)} s`,
  `${allReadySeconds.toFixed(0)} s`,
  failedStarts.toFixed(0),
];

/** Columns as wide as their widest cell; the last one as it is. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, at) => rows.reduce((most, one) => Math.max(most, one[at]?.length ?? 0), 0));
  return rows.map((one) =>
    one
      .map((cell, at) => (at === one.length - 1 ? cell : cell.padEnd(widths[at] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
}

/** Everything as plain data; bytes and seconds. */
export function jsonReport(classes: readonly ClassPrewarm[], budgetBytes: number): object {
  return {
    budgetBytes,
    classes: classes.map(({ className, nodes, sizes, chosen, leftOut, forecast, reasons }) => ({
      class: className,
      nodes,
      images: chosen.map(({ ref, digest, bytes, demand }) => ({
        ...{ ref, digest: digest ?? null, bytes },
        ...{ nodesThatFetchedIt: demand.nodes, podsThatWaited: demand.podsWaited },
      })),
      sizes,
      bytes: totalBytes(chosen),
      leftOut: leftOut.map(({ demand, why }) => ({ ref: demand.ref, bytes: demand.bytes ?? null, why })),
      forecast: forecast ?? null,
      reasons,
    })),
  };
}
