/**
 * `paceline doctor`: checks whether a live cluster is set up for herds, and whether Paceline works in it. Reads only.
 */
import { Command, InvalidArgumentError } from "commander";
import { DEFAULT_NAMESPACE } from "../api/names.ts";
import { ApiError } from "../kube/client/api-error.ts";
import type { ClusterFacts } from "../doctor/facts.ts";
import { gatherCluster } from "../doctor/gather/gather.ts";
import { findingsOf } from "../doctor/rules/rules.ts";
import { doctorJson, doctorText } from "../doctor/report.ts";
import { UsageError } from "../api/usage-error.ts";
import { type ClusterFlags, withCluster } from "./connect.ts";

interface DoctorFlags extends ClusterFlags {
  readonly namespace?: string;
  readonly sample: number;
  readonly json?: true;
}

/** How many kubelets are asked for their configuration: nodes of one kind are set up alike. Assumed. */
const SAMPLE = 100;

function parseSample(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError("give a whole number above 0.");
  return count;
}

/** The command with its flags. */
export function doctorCommand(): Command {
  return new Command("doctor")
    .description(
      "Look at a live cluster, changing nothing, and say what about nodes, schedulers, autoscalers and Paceline itself should be changed, and why.",
    )
    .option("--kubeconfig <file>", "kubeconfig to use; default as for serve")
    .option("--context <name>", "context of the kubeconfig; default: its current one")
    .option(
      "-n, --namespace <name>",
      `namespace of Paceline's policy and Lease; default: where its webhooks say, else ${DEFAULT_NAMESPACE}`,
      process.env["PACELINE_NAMESPACE"],
    )
    .option(
      "--sample <count>",
      "most kubelets to ask for their configuration, at least one of each kind first",
      parseSample,
      SAMPLE,
    )
    .option("--json", "print one JSON object")
    .addHelpText(
      "after",
      "\nExit codes: 0 nothing to mend but notes, 1 findings, 2 wrong usage or no cluster.\nIt takes the right to list nodes, pods, events and the like; what may not be read is told and left out.",
    )
    .action((flags: DoctorFlags) => doctor(flags));
}

async function doctor(flags: DoctorFlags): Promise<void> {
  const facts = await look(flags);
  const findings = findingsOf(facts);
  process.stdout.write(
    flags.json ? `${JSON.stringify(doctorJson(facts, findings), undefined, 2)}\n` : doctorText(facts, findings),
  );
  if (findings.some(({ severity }) => severity === undefined)) process.exitCode = 1;
}

/** @throws UsageError when there is no cluster, or when doctor may read nothing in it */
function look({ namespace, sample, ...cluster }: DoctorFlags): Promise<ClusterFacts> {
  return withCluster(cluster, async (client, clock) => {
    const options = { namespace, defaultNamespace: DEFAULT_NAMESPACE, sample, clock };
    const facts = await gatherCluster(client, options).catch((cause: unknown) => {
      if (!(cause instanceof ApiError)) throw cause;
      throw new UsageError(`no cluster at ${client.url}: ${cause.message}`, { cause });
    });
    if (facts.nodes === undefined && facts.pods === undefined) {
      throw new UsageError(`neither nodes nor pods may be read: ${facts.notes.join("; ")}`);
    }
    return facts;
  });
}
