/**
 * Gathers kube-scheduler configurations from ConfigMaps. That of a static pod is a file on its host, which doctor
 * cannot read.
 */
import { parseAllDocuments } from "yaml";
import type { KubeObject } from "../../kube/parse/kube-json.ts";
import { recordOf, recordsOf, textMapOf, textOf } from "../../kube/parse/kube-json.ts";
import { durationMs } from "../../kube/parse/duration.ts";
import type { ExtenderSeen, SchedulerSeen } from "../facts.ts";
import { fullName, listOf, type Look, seen } from "./look.ts";
import type { MountedConfig } from "./pods.ts";

const KIND = "KubeSchedulerConfiguration";
/** The usual places, besides the ConfigMaps that pods of kube-scheduler mount. */
const USUAL_NAMESPACE = "kube-system";

/** `mounted`: the ConfigMaps that pods of kube-scheduler mount. */
export async function gatherSchedulers(
  look: Look,
  namespace: string | undefined,
  mounted: readonly MountedConfig[],
): Promise<SchedulerSeen[]> {
  const usual = [...new Set([USUAL_NAMESPACE, ...(namespace === undefined ? [] : [namespace])])];
  const found: SchedulerSeen[] = [];
  for (const one of usual) {
    const path = `/api/v1/namespaces/${one}/configmaps`;
    found.push(...(await listOf(look, `ConfigMaps of ${one}`, path, schedulersIn)).flat());
  }
  const elsewhere = new Map(
    mounted.filter((one) => !usual.includes(one.namespace)).map((one) => [`${one.namespace}/${one.name}`, one]),
  );
  for (const { namespace: where, name } of elsewhere.values()) {
    const path = `/api/v1/namespaces/${where}/configmaps/${name}`;
    found.push(
      ...((await seen(look, `ConfigMap ${where}/${name}`, undefined, async () =>
        schedulersIn(await look.client.get(path)),
      )) ?? []),
    );
  }
  return found;
}

function schedulersIn(raw: KubeObject): SchedulerSeen[] {
  const where = `ConfigMap/${fullName(raw)}`;
  return Object.values(textMapOf(raw["data"]))
    .filter((text) => text.includes(KIND))
    .flatMap(documentsOf)
    .filter(({ kind }) => kind === KIND)
    .map((configuration) => ({
      where,
      names: profileNames(configuration),
      extenders: recordsOf(configuration["extenders"]).filter(isOurs).map(extenderSeen),
    }));
}

/** Never throws. Text that is not YAML holds no configuration. */
function documentsOf(text: string): Readonly<Record<string, unknown>>[] {
  try {
    return parseAllDocuments(text).map((document) => recordOf(document.toJS() as unknown));
  } catch {
    return [];
  }
}

function profileNames(configuration: Readonly<Record<string, unknown>>): string[] {
  const names = recordsOf(configuration["profiles"]).map(
    ({ schedulerName }) => textOf(schedulerName) || "default-scheduler",
  );
  return names.length > 0 ? names : ["default-scheduler"];
}

/** Recognises Paceline's extender by its path, which other extenders do not use. */
function isOurs(extender: Readonly<Record<string, unknown>>): boolean {
  return /\/scheduler\/?$/.test(textOf(extender["urlPrefix"])) && extender["filterVerb"] === "filter";
}

function extenderSeen(extender: Readonly<Record<string, unknown>>): ExtenderSeen {
  return {
    urlPrefix: textOf(extender["urlPrefix"]),
    ignorable: extender["ignorable"] === true,
    nodeCacheCapable: extender["nodeCacheCapable"] === true,
    preempts: textOf(extender["preemptVerb"]) !== "",
    timeoutMs: durationMs(extender["httpTimeout"]),
  };
}
