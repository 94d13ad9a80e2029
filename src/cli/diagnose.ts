/** `paceline diagnose`: finds out from files alone whether a herd made pods fail, and says what to change. */
import { writeFile } from "node:fs/promises";
import { Command, InvalidArgumentError, Option } from "commander";
import { diagnose, type Diagnosis } from "../diagnose/diagnose.ts";
import { rfc3339, timeOf } from "../diagnose/json.ts";
import type { Verdict } from "../diagnose/findings/verdict.ts";
import { jsonReport } from "../diagnose/report/json.ts";
import { textReport } from "../diagnose/report/text.ts";
import { UsageError } from "../api/usage-error.ts";

interface Bin {
  readonly text: string;
  readonly ms: number;
}

interface DiagnoseFlags {
  readonly bin: Bin;
  readonly since?: string;
  readonly until?: string;
  readonly json?: true;
  readonly html?: string;
}

const EXPECTED =
  "expected Kubernetes audit logs (audit.k8s.io/v1, JSON lines, or as CloudWatch, Google Cloud, Azure Monitor or Elastic export them; " +
  "rows of counts hold no events), logs of kubelet and containerd or CRI-O (journalctl in any format, JSON, or as log stores export " +
  "them), kubectl get events|pods|nodes (-o json or yaml, or tables of Events), kubectl describe pod|node, or crictl inspect; plain or gzip";

const HELP = `
Exit codes:
  0  not this problem: the input would show failed starts, and there are none, or they have other causes
  1  the problem was found
  2  wrong usage, or nothing usable in the input
  3  cannot tell: nothing was found, but what was read is not enough to rule it out; the summary says why

What to run (more in docs/diagnose.md):
  any cluster   kubectl get events,pods,nodes -A -o json > seen.json
  on a node     journalctl -u kubelet -u containerd -o json --since -6h > node.json
  EKS           aws logs filter-log-events --log-group-name /aws/eks/NAME/cluster --log-stream-name-prefix kube-apiserver-audit
  GKE           gcloud logging read 'resource.type="k8s_node" OR log_id("events")' --format json
  AKS           az monitor log-analytics query -w WORKSPACE --analytics-query 'KubeEvents | where TimeGenerated > ago(1d)'
  k3s           journalctl -u k3s -o json`;

const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const SPAN = /^(\d{1,9})\s*(ms|s|m|h|d)[a-z]*$/;

function spanMs(text: string): number | undefined {
  const [, count, unit] = SPAN.exec(text.trim().toLowerCase()) ?? [];
  const ms = Number(count) * (units[unit ?? ""] ?? Number.NaN);
  return ms > 0 ? ms : undefined;
}

function parseBin(text: string): Bin {
  const ms = spanMs(text);
  if (ms === undefined) throw new InvalidArgumentError("give a span such as 30s, 5m, 1h or 1d.");
  return { text, ms };
}

/** The command with its flags. */
export function diagnoseCommand(): Command {
  return new Command("diagnose")
    .description(
      "Find failed pod starts in audit logs, node logs and kubectl output, and say whether a herd is to blame. Reads files only.",
    )
    .argument("[files...]", "files to read, plain or gzip, of any mixture of formats; - or none for standard input")
    .addOption(
      new Option("--bin <span>", "width of the bins of CloudWatch's query")
        .argParser(parseBin)
        .default({ text: "1h", ms: 3_600_000 } satisfies Bin, "1h"),
    )
    .option(
      "--since <time>",
      "leave out what was before: RFC 3339 (UTC where no zone is told), or a span before now such as 6h",
    )
    .option(
      "--until <time>",
      "leave out what was then or after: RFC 3339 (UTC where no zone is told), or a span before now",
    )
    .option("--json", "print the findings as JSON")
    .option("--html <file>", "write a report with charts, one file that needs no network")
    .addHelpText("after", HELP)
    .action((files: readonly string[], flags: DiagnoseFlags) =>
      run(files, flags, Date.now()).catch((cause: unknown) => {
        throw withoutFinding(cause, files);
      }),
    );
}

/** Exit code 1 says that the problem was found; an unexpected error must not. */
function withoutFinding(cause: unknown, files: readonly string[]): UsageError {
  if (cause instanceof UsageError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  return new UsageError(`internal error with ${files.join(", ") || "standard input"}: ${message}`, { cause });
}

const EXIT_CODES = { clear: 0, found: 1, unknown: 3 } as const satisfies Record<Verdict["outcome"], number>;

async function run(files: readonly string[], flags: DiagnoseFlags, nowMs: number): Promise<void> {
  const sinceMs = momentOf("--since", flags.since, nowMs);
  const untilMs = momentOf("--until", flags.until, nowMs);
  if (sinceMs !== undefined && untilMs !== undefined && sinceMs >= untilMs) {
    throw new UsageError(`--since ${rfc3339(sinceMs)} is not before --until ${rfc3339(untilMs)}`);
  }
  const diagnosis = await read(files, { binMs: flags.bin.ms, sinceMs, untilMs, nowMs });
  const { findings, verdict } = diagnosis;
  if (flags.html !== undefined) await writeHtml(flags.html, diagnosis, flags.bin.text);
  process.stdout.write(
    flags.json
      ? `${JSON.stringify(jsonReport(findings, verdict), undefined, 2)}\n`
      : textReport(findings, verdict, flags.bin.text),
  );
  process.exitCode = EXIT_CODES[verdict.outcome];
}

/** A date, with or without a time, and no zone behind it. */
const ZONELESS = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?$/;

function momentOf(flag: string, text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  const span = spanMs(text);
  const isZoneless = ZONELESS.test(text);
  const ms = span === undefined ? timeOf(isZoneless ? `${text.replace(" ", "T")}Z` : text) : nowMs - span;
  if (ms === undefined)
    throw new UsageError(`${flag} ${text}: give a time such as 2026-11-24T08:00:00Z, or a span before now such as 6h`);
  if (isZoneless) process.stderr.write(`paceline: ${flag} ${text} tells no zone: taken for UTC, ${rfc3339(ms)}\n`);
  return ms;
}

type Options = Parameters<typeof diagnose>[1];

/** @throws UsageError when an input cannot be read, or none holds anything usable. */
async function read(files: readonly string[], options: Options): Promise<Diagnosis> {
  const inputs = (files.length === 0 ? ["-"] : files).map((file) =>
    file === "-" ? { name: "standard input", stream: process.stdin } : file,
  );
  let diagnosis: Diagnosis;
  try {
    diagnosis = await diagnose(inputs, options);
  } catch (cause) {
    const { code, path, message } = cause as NodeJS.ErrnoException;
    // A mistake of diagnose itself is no finding: exit code 2, as for all from which nothing was learnt.
    if (code === undefined) throw new UsageError(message, { cause });
    const name = path ?? files.join(", ");
    throw new UsageError(code === "ENOENT" ? `${name}: there is no such file` : `${name} cannot be read: ${message}`, {
      cause,
    });
  }
  const { unusable } = diagnosis;
  if (unusable.length === inputs.length) throw new UsageError(unusableWords(unusable));
  if (unusable.length > 0) process.stderr.write(`paceline: ${unusableWords(unusable)}\n`);
  return diagnosis;
}

/** So many names are told. */
const MOST_NAMES = 10;

function namesOf(unusable: Diagnosis["unusable"]): string {
  const names = unusable.slice(0, MOST_NAMES).map(({ name }) => name);
  const rest = unusable.length - names.length;
  return `${names.join(", ")}${rest > 0 ? ` and ${rest} more` : ""}`;
}

function unusableWords(unusable: Diagnosis["unusable"]): string {
  const hints = [...Map.groupBy(unusable, ({ looksLike }) => looksLike)].flatMap(([hint, of]) =>
    hint === undefined ? [] : [unusable.length === 1 ? hint : `${namesOf(of)}: ${hint}`],
  );
  const count = unusable.length === 1 ? "" : `${unusable.length} inputs: `;
  return [`nothing usable in ${count}${namesOf(unusable)}: ${EXPECTED}`, ...hints].join(". ");
}

async function writeHtml(file: string, { findings, verdict }: Diagnosis, bin: string): Promise<void> {
  const { htmlReport } = await import("../diagnose/report/html.ts");
  try {
    await writeFile(file, htmlReport(findings, verdict, bin));
  } catch (cause) {
    throw new UsageError(`--html ${file} cannot be written: ${(cause as Error).message}`, { cause });
  }
}
