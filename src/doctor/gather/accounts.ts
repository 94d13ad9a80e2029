/** Paceline's accounts, as its Deployments and its CronJob name them, and the rights that each one needs. */
import { COMPONENT, LEADER_LEASE, POLICY_CONFIG_MAP } from "../../api/names.ts";
import type { KubeObject } from "../../kube/parse/kube-json.ts";
import { recordOf, recordsOf, textOf, textsOf } from "../../kube/parse/kube-json.ts";
import type { PacingPolicy } from "../../policy/schema.ts";
import { listOf, type Look } from "./look.ts";
import { type Account, each, type Right, serviceRights } from "./rights.ts";

type Json = Readonly<Record<string, unknown>>;
type Role = "serve" | "scheduler" | "janitor";

/** Label of our pods' templates; the chart and the manifests set it. */
const COMPONENT_LABEL = "paceline.dev/component";

/**
 * The accounts of replicas, second scheduler and janitor. Without a Deployment, the replicas' one has the name that the
 * chart and the manifests use. That of the uninstall hook exists only while the hook runs.
 */
export async function gatherAccounts(
  look: Look,
  namespace: string,
  policy: PacingPolicy | undefined,
): Promise<Account[]> {
  const apps = `/apis/apps/v1/namespaces/${namespace}/deployments`;
  const jobs = `/apis/batch/v1/namespaces/${namespace}/cronjobs`;
  const found = [
    ...(await listOf(look, "Paceline's Deployments", apps, (raw) => templateOf(recordOf(raw["spec"])["template"]))),
    ...(await listOf(look, "Paceline's CronJobs", jobs, janitorTemplate)),
  ];
  const all = found.some(({ role }) => role === "serve")
    ? found
    : [{ role: "serve" as const, account: COMPONENT, args: [] }, ...found];
  return all.map(({ role, account, args }) => ({
    namespace,
    name: account,
    rights: rightsOf(role, namespace, args, policy),
  }));
}

interface Template {
  readonly role: Role;
  readonly account: string;
  /** Of all its containers. */
  readonly args: readonly string[];
}

const janitorTemplate = (raw: KubeObject) =>
  templateOf(recordOf(recordOf(recordOf(raw["spec"])["jobTemplate"])["spec"])["template"]);

function templateOf(raw: unknown): Template | undefined {
  const template = recordOf(raw);
  const role = textOf(recordOf(recordOf(template["metadata"])["labels"])[COMPONENT_LABEL]);
  if (role !== "serve" && role !== "scheduler" && role !== "janitor") return undefined;
  const spec: Json = recordOf(template["spec"]);
  const args = recordsOf(spec["containers"]).flatMap((container) => textsOf(container["args"]));
  return { role, account: textOf(spec["serviceAccountName"]) || "default", args };
}

function rightsOf(role: Role, namespace: string, args: readonly string[], policy: PacingPolicy | undefined): Right[] {
  switch (role) {
    case "serve":
      return [...serviceRights(namespace), ...flaggedRights(namespace, args), ...telemetryRights(policy)];
    case "scheduler":
      return [...followerRights(namespace), ...telemetryRights(policy)];
    case "janitor":
      return janitorRights(namespace);
    default:
      return role satisfies never;
  }
}

/** A replica that only follows sees what the others see, and writes nothing. */
export function followerRights(namespace: string): Right[] {
  return serviceRights(namespace).filter(
    ({ verb, resource }) =>
      verb === "list" || verb === "watch" || (verb === "get" && (resource === "leases" || resource === "configmaps")),
  );
}

/** Equal to webhook-config/janitor.yaml; a test compares them. */
export function janitorRights(namespace: string): Right[] {
  return [
    ...each(["get", "list", "patch"], { resource: "pods" }),
    ...each(["get", "list", "patch"], { resource: "nodes" }),
    { verb: "get", resource: "configmaps", namespace, name: POLICY_CONFIG_MAP },
    { verb: "get", group: "coordination.k8s.io", resource: "leases", namespace, name: LEADER_LEASE },
  ];
}

/** What the flags of `serve` take beyond that. */
function flaggedRights(namespace: string, args: readonly string[]): Right[] {
  const valueOf = (flag: string) => args.find((arg) => arg.startsWith(`--${flag}=`))?.slice(flag.length + 3);
  const secret = valueOf("certificates-secret");
  const lease = valueOf("scheduler-lease");
  const name = valueOf("webhook-configuration") ?? COMPONENT;
  const group = "admissionregistration.k8s.io";
  return [
    ...(secret === undefined
      ? []
      : [
          ...each(["get", "patch"], { resource: "secrets", namespace, name: secret }),
          ...each(["get", "patch"], { group, resource: "mutatingwebhookconfigurations", name }),
          ...each(["get", "patch"], { group, resource: "validatingwebhookconfigurations", name }),
        ]),
    ...(lease === undefined
      ? []
      : [{ verb: "get", group: "coordination.k8s.io", resource: "leases", namespace, name: lease }]),
  ];
}

/** What the policy's source of telemetry takes. `telemetry-config/` grants it, to accounts that it names. */
function telemetryRights(policy: PacingPolicy | undefined): Right[] {
  const telemetry = policy?.telemetry;
  if (telemetry?.source === "kubelet") return [{ verb: "get", resource: "nodes", subresource: "proxy" }];
  if (telemetry?.source !== "node-exporter" || telemetry.address.type !== "Endpoints") return [];
  const { namespace } = telemetry.address;
  return each(["list", "watch"], { group: "discovery.k8s.io", resource: "endpointslices", namespace });
}
