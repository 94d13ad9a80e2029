/** Reads the kubelets' settings through the API server's proxy: `/configz`, `/metrics`, `/stats/summary`. */
import { ApiError, errorFromAnswer } from "../../kube/client/api-error.ts";
import { recordOf } from "../../kube/parse/kube-json.ts";
import { durationMs } from "../../kube/parse/duration.ts";
import type { KubeletSeen, NodeSeen } from "../facts.ts";
import { inParallel, type Look } from "./look.ts";
import { may } from "./rights.ts";

/** Kubelets asked at the same time. Assumed: a small part of one client's share in the API server's priority level. */
const PARALLEL = 8;
/** A kubelet answers in milliseconds. One that takes longer than this is left out. */
const TIMEOUT_MS = 5_000;
/** The largest answer to read. `/metrics` and the summary of 110 pods are about 0.5 MB each. */
const MAX_BYTES = 4_194_304;
/** The most reasons to list when kubelets cannot be read. */
const MOST_REASONS = 2;

/** Reads up to `sample` kubelets, and notes how many it left out. */
export async function gatherKubelets(look: Look, nodes: readonly NodeSeen[], sample: number): Promise<KubeletSeen[]> {
  const ready = nodes.filter(({ readySinceMs }) => readySinceMs !== undefined);
  if (ready.length === 0) return [];
  const allowed = await may(look, { verb: "get", resource: "nodes", subresource: "proxy" });
  if (allowed === false) {
    look.note("kubelet configuration: not seen (it takes the right to get nodes/proxy)");
    return [];
  }
  const chosen = sampleOf(ready, sample);
  if (chosen.length < ready.length) {
    look.note(
      `kubelet configuration: ${chosen.length} of ${ready.length} Ready nodes were asked (--sample), at least one of each kind and the youngest`,
    );
  }
  return readAll(look, chosen);
}

async function readAll(look: Look, nodes: readonly NodeSeen[]): Promise<KubeletSeen[]> {
  const failures: string[] = [];
  const answers = await inParallel(nodes, PARALLEL, async ({ name }) => {
    try {
      return await readKubelet(look, name);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      failures.push(error.message);
      return undefined;
    }
  });
  if (failures.length > 0) {
    const reasons = failures.slice(0, MOST_REASONS).join("; ");
    look.note(`kubelet configuration: ${failures.length} of ${nodes.length} kubelets could not be read (${reasons})`);
  }
  return answers.filter((answer) => answer !== undefined);
}

/** Takes the youngest node of each kind, then the youngest of all. Nodes of one kind have equal settings. */
export function sampleOf(nodes: readonly NodeSeen[], size: number): NodeSeen[] {
  const youngestFirst = nodes.toSorted((a, b) => b.createdAtMs - a.createdAtMs);
  const kinds = Map.groupBy(youngestFirst, kindOf);
  const firstOfKind = [...kinds.values()].flatMap((alike) => alike.slice(0, 1));
  return [...new Set([...firstOfKind, ...youngestFirst])].slice(0, size);
}

/** Labels with which providers mark groups of nodes. */
const GROUP_LABELS = [
  "karpenter.sh/nodepool",
  "eks.amazonaws.com/nodegroup",
  "cloud.google.com/gke-nodepool",
  "kubernetes.azure.com/agentpool",
] as const;

const kindOf = ({ instanceType, runtime, kubelet, labels }: NodeSeen) =>
  JSON.stringify([instanceType, runtime, kubelet, ...GROUP_LABELS.map((label) => labels[label])]);

async function readKubelet(look: Look, node: string): Promise<KubeletSeen> {
  const config = recordOf((await jsonPage(look, node, "configz"))["kubeletconfig"]);
  const [metrics, summary] = await Promise.all([
    page(look, node, "metrics").catch(() => ""),
    jsonPage(look, node, "stats/summary").catch(() => undefined),
  ]);
  const psi = summary && hasPressure(summary);
  return {
    node,
    registryPullQPS: numberOf(config["registryPullQPS"]),
    registryBurst: numberOf(config["registryBurst"]),
    serializeImagePulls: typeof config["serializeImagePulls"] === "boolean" ? config["serializeImagePulls"] : undefined,
    maxParallelImagePulls: numberOf(config["maxParallelImagePulls"]),
    runtimeRequestTimeoutMs: durationMs(config["runtimeRequestTimeout"]),
    cgroupVersion: cgroupVersion(metrics) ?? (psi === true ? 2 : undefined),
    psi,
  };
}

/** @throws ApiError when the kubelet cannot be reached, or refuses */
async function page({ client }: Look, node: string, path: string): Promise<string> {
  const url = urlOf(node, path);
  const answer = await client.raw("GET", url, { timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES });
  if (answer.status !== 200) throw errorFromAnswer(`GET ${url}`, answer.status, answer.text);
  return answer.text;
}

/** @throws ApiError as {@link page}, and when the page is not JSON */
async function jsonPage(look: Look, node: string, path: string): Promise<Readonly<Record<string, unknown>>> {
  const text = await page(look, node, path);
  try {
    return recordOf(JSON.parse(text) as unknown);
  } catch (cause) {
    throw new ApiError(200, "NotJson", `GET ${urlOf(node, path)}: the answer is not JSON`, { cause });
  }
}

const urlOf = (node: string, path: string) => `/api/v1/nodes/${encodeURIComponent(node)}/proxy/${path}`;

const numberOf = (value: unknown) => (typeof value === "number" ? value : undefined);

function cgroupVersion(metrics: string): 1 | 2 | undefined {
  const version = /^kubelet_cgroup_version (\d)/m.exec(metrics)?.[1];
  return version === "1" ? 1 : version === "2" ? 2 : undefined;
}

/** On cgroup v1 kubelets serve zeros; where there is PSI, even an idle node has waited since its boot. */
export function hasPressure(summary: Readonly<Record<string, unknown>>): boolean {
  const node = recordOf(summary["node"]);
  return ["io", "cpu"]
    .map((resource) => recordOf(recordOf(node[resource])["psi"]))
    .flatMap((psi) => [recordOf(psi["some"]), recordOf(psi["full"])])
    .some((line) => Object.values(line).some((figure) => typeof figure === "number" && figure > 0));
}
