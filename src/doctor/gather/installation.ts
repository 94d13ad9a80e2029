/** Gathers how the replicas' pods are set up: their priority class, what refuses it, and the port that they serve. */
import type { KubeObject } from "../../kube/parse/kube-json.ts";
import { recordOf, recordsOf, textOf, textsOf } from "../../kube/parse/kube-json.ts";
import type { InstallationSeen } from "../facts.ts";
import { eachOf, listOf, type Look, seen } from "./look.ts";

/** What the API server says where a class is bound to a ResourceQuota and the namespace has none. */
const NO_QUOTA = /insufficient quota to match these scopes/;

/** Undefined where no Deployment runs the replicas. */
export async function gatherInstallation(look: Look, namespace: string): Promise<InstallationSeen | undefined> {
  const apps = `/apis/apps/v1/namespaces/${namespace}/deployments`;
  const [found] = await listOf(look, "Paceline's Deployment", apps, deploymentSeen);
  if (found === undefined) return undefined;
  const hasQuota = await seen(look, "ResourceQuotas", undefined, async () => {
    let covered = false;
    await eachOf(look, `/api/v1/namespaces/${namespace}/resourcequotas`, (quota) => {
      covered ||= covers(quota, found.priorityClassName);
    });
    return covered;
  });
  return { ...found, hasQuota };
}

function deploymentSeen(raw: KubeObject): Omit<InstallationSeen, "hasQuota"> | undefined {
  const template = recordOf(recordOf(raw["spec"])["template"]);
  if (recordOf(recordOf(template["metadata"])["labels"])["paceline.dev/component"] !== "serve") return undefined;
  const spec = recordOf(template["spec"]);
  const [port] = recordsOf(spec["containers"]).flatMap(({ ports }) => recordsOf(ports));
  const status = recordOf(raw["status"]);
  const refused = recordsOf(status["conditions"]).find(({ message }) => NO_QUOTA.test(textOf(message)));
  return {
    name: raw.metadata?.name ?? "",
    priorityClassName: textOf(spec["priorityClassName"]),
    isRunning: Number(status["readyReplicas"] ?? 0) > 0,
    refusal: refused === undefined ? undefined : textOf(refused["message"]),
    port: typeof port?.["containerPort"] === "number" ? port["containerPort"] : undefined,
  };
}

function covers(quota: KubeObject, priorityClass: string): boolean {
  const terms = recordsOf(recordOf(recordOf(quota["spec"])["scopeSelector"])["matchExpressions"]);
  return terms.some(
    ({ scopeName, operator, values }) =>
      scopeName === "PriorityClass" &&
      (operator === "Exists" || (operator === "In" && textsOf(values).includes(priorityClass))),
  );
}
