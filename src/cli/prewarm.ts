/** `paceline prewarm`: which images young nodes should have before they take pods, and how they get them. */
import { readFile } from "node:fs/promises";
import { Command, InvalidArgumentError, Option } from "commander";
import { printable } from "../api/printable.ts";
import { UsageError } from "../api/usage-error.ts";
import { forAnyRuntime, formats, type FormatName } from "../prewarm/formats/formats.ts";
import { isClassName } from "../prewarm/formats/prewarm-list.ts";
import { type ClassPrewarm, prewarm } from "../prewarm/prewarm.ts";
import { jsonReport, nameOfClass, tableReport } from "../prewarm/report.ts";
import { noMachines } from "../recording/machines.ts";
import { demandOf } from "../prewarm/demand.ts";
import { missingJson, missingNotes } from "../recording/unread.ts";
import type { Recording } from "../recording/recording.ts";
import { QUIET_MS, withProgress } from "./progress.ts";
import { machinesFrom, readAll, type SourceFlags } from "./replay.ts";

interface PrewarmFlags extends SourceFlags {
  readonly class?: string;
  readonly budget: number;
  readonly format: FormatName | "table" | "json";
  readonly parallel: number;
  readonly timeout: number;
  readonly disk?: number;
  readonly machines?: string;
  readonly with?: string;
}

const FORMATS = ["table", ...Object.keys(formats), "json"];
const GIB = 1_024 ** 3;

const HELP = `
Formats:
  table, json         what is chosen and why, and what it brings
  nodeadm             EC2 user data of EKS's AL2023 nodes: pulls before the kubelet starts
  al2-userdata        EC2 user data of EKS's AL2 nodes: the same
  packer              machine image: nodes have the images when they boot (HCL2)
  bottlerocket        script that makes a snapshot of Bottlerocket's data volume
  gke-secondary-disk  script that builds the disk image of a secondary boot disk
  kruise              ImageListPullJob of OpenKruise: pulls beside the first pods
  kube-fledged        ImageCache of kube-fledged: the same

Exit codes:
  0  there are images to write
  1  the cluster cannot be read (--live)
  2  wrong usage, nothing usable in the input, or files of more than one cluster
  3  no young node, or no image that is worth it

What to give it is what paceline replay takes (docs/prewarm.md): audit logs, and kubectl get nodes,pods,events -A -o json.`;

function within(least: number, most: number, what: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`give ${what} from ${least} to ${most}.`);
  };
}

/** The command with its flags. */
export function prewarmCommand(): Command {
  return new Command("prewarm")
    .description(
      "Choose the images that young nodes should have before they take pods, from what a recording says they fetched, and write how to get them there. Reads only.",
    )
    .argument("[files...]", "what replay reads: files, or folders of them, plain or gzip; - or none: standard input")
    .option(
      "--live",
      "read nodes, pods and Events of a live cluster, besides the files if there are any; changes nothing",
    )
    .option("--class <instance type>", "only nodes of this instance type, such as m6i.xlarge")
    .option(
      "--budget <GiB>",
      "size of all images together as nodes list it: compressed, with CRI-O unpacked",
      within(0.001, 1_000, "GiB"),
      2,
    )
    .addOption(new Option("--format <format>", "what to write").choices(FORMATS).default("table"))
    .option("--parallel <pulls>", "pulls at once", within(1, 100, "a number"), 3)
    .option(
      "--timeout <seconds>",
      "user data ends after so long, whatever is missing",
      within(10, 3_600, "seconds"),
      300,
    )
    .option(
      "--disk <MiB/s>",
      "what the nodes' disks write, where it is not their default",
      within(0.1, 100_000, "MiB/s"),
    )
    .option(
      "--machines <file>",
      "what the nodes, kubelets and images are like, as far as no recording tells (YAML): the file of replay's --class",
    )
    .option("--with <file>", "a further part of user data: your NodeConfig, or your AL2 script")
    .option("--kubeconfig <file>", "kubeconfig for --live")
    .option("--context <name>", "context for --live")
    .addHelpText("after", HELP)
    .action((files: readonly string[], flags: PrewarmFlags) => run(files, flags, Date.now()));
}

async function run(files: readonly string[], flags: PrewarmFlags, nowMs: number): Promise<void> {
  const withPart = flags.with === undefined ? undefined : await partFrom(flags.with, flags.format);
  if (flags.live !== true && (flags.kubeconfig ?? flags.context) !== undefined)
    throw new UsageError("--kubeconfig and --context are for --live");
  const machines = flags.machines === undefined ? noMachines : await machinesFrom("--machines", flags.machines);
  const whole = await readAll(files, flags, nowMs);
  const { recording } = whole;
  const budgetBytes = flags.budget * GIB;
  const classNames = demandOf(recording).map(({ className }) => className);
  checkClass(flags, classNames);
  const classes = await withProgress(
    "choosing images",
    (tell) =>
      prewarm(recording, {
        ...{ budgetBytes, className: flags.class, tell },
        ...{ machines, diskMibPerSecond: flags.disk },
      }),
    { quietForMs: QUIET_MS },
  );
  const notes = missingNotes(whole);
  // A format is for other programs: what people must know goes beside it.
  const beside = [...(flags.format === "table" ? [] : notes), ...(classes.length === 0 ? [noNodes(recording)] : [])];
  for (const note of beside) process.stderr.write(printable(`paceline: ${note}\n`));
  process.exitCode = classes.some(({ chosen }) => chosen.length > 0) ? 0 : 3;
  if (flags.format === "json")
    process.stdout.write(
      `${JSON.stringify({ ...missingJson(whole), notes, ...jsonReport(classes, budgetBytes) }, undefined, 2)}\n`,
    );
  else if (flags.format === "table")
    process.stdout.write(printable([...notes, tableReport(classes, budgetBytes)].join("\n\n")));
  else writeFormat(flags.format, classes, { ...flags, withPart });
}

function writeFormat(
  name: FormatName,
  [only]: readonly ClassPrewarm[],
  { parallel, timeout, withPart }: PrewarmFlags & { readonly withPart: string | undefined },
): void {
  if (only === undefined) return;
  if (only.chosen.length === 0) {
    process.stderr.write("paceline: no image is worth it; --format table says why\n");
    return;
  }
  const others = only.runtimes.filter((runtime) => runtime !== "containerd").join(", ");
  if (others !== "" && !forAnyRuntime.has(name))
    process.stderr.write(
      printable(`paceline: these nodes run ${others}, and what --format ${name} writes is for containerd\n`),
    );
  const list = {
    images: only.chosen,
    sizes: only.sizes,
    className: isClassName(only.className) ? only.className : undefined,
  };
  process.stdout.write(
    formats[name](list, { parallel: Math.round(parallel), timeoutSeconds: Math.round(timeout), withPart }),
  );
}

/** @throws UsageError where the class is none, or several are meant by a format for one */
function checkClass(flags: PrewarmFlags, names: readonly string[]): void {
  const told = printable(names.map(nameOfClass).slice(0, 10).join(", "));
  if (flags.class !== undefined && !names.includes(flags.class))
    throw new UsageError(
      `--class ${flags.class}: no young node of it took pods in this recording; there are: ${told || "none"}`,
    );
  const isForOne = flags.format !== "table" && flags.format !== "json";
  if (isForOne && flags.class === undefined && names.length > 1)
    throw new UsageError(
      `--format ${flags.format} is for one class, and there are young nodes of ${told}: give one with --class`,
    );
}

async function partFrom(file: string, format: string): Promise<string> {
  if (format !== "nodeadm" && format !== "al2-userdata")
    throw new UsageError(`--with ${file}: only user data has parts (--format nodeadm or al2-userdata)`);
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new UsageError(`--with ${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

function noNodes({ nodes, pods }: Recording): string {
  return `no young node: ${nodes.length} nodes and ${pods.length} pods were read, and no node opened and took pods within its first ten minutes`;
}
