/**
 * Gathers what may come into conflict with the admission policies of our accounts: other webhooks that change pods or
 * nodes on update. The API server takes their changes for a part of Paceline's own write.
 */
import type { KubeObject } from "../../kube/parse/kube-json.ts";
import { recordOf, recordsOf, textOf, textsOf } from "../../kube/parse/kube-json.ts";
import type { RewriterSeen } from "../facts.ts";
import { listOf, type Look } from "./look.ts";

const REGISTRATION = "/apis/admissionregistration.k8s.io/v1";
/** The suffix of the names of all Paceline webhooks. */
const OURS = ".paceline.dev";
/** The ends of the names of the policies that Paceline's accounts are held to on pods and nodes. */
const ACCOUNT_POLICY = /-account-(?:pods|nodes)$/;

/** The webhooks of others that are called when a pod or a node is updated. */
export async function gatherRewriters(look: Look): Promise<RewriterSeen[]> {
  const path = `${REGISTRATION}/mutatingwebhookconfigurations`;
  return (await listOf(look, "webhooks of others", path, rewritersIn)).flat();
}

function rewritersIn(raw: KubeObject): RewriterSeen[] {
  const configuration = `MutatingWebhookConfiguration/${raw.metadata?.name ?? ""}`;
  return recordsOf(raw["webhooks"]).flatMap((webhook) => {
    const name = textOf(webhook["name"]);
    const kinds = (["pods", "nodes"] as const).filter((kind) =>
      recordsOf(webhook["rules"]).some((rule) => isUpdateOf(kind, rule)),
    );
    return name.endsWith(OURS) || kinds.length === 0 ? [] : [{ configuration, name, kinds }];
  });
}

function isUpdateOf(kind: string, rule: Readonly<Record<string, unknown>>): boolean {
  const has = (field: string, ...words: string[]) => textsOf(rule[field]).some((one) => words.includes(one));
  const scope = kind === "nodes" ? "Namespaced" : "Cluster";
  return (
    has("operations", "UPDATE", "*") &&
    has("apiGroups", "", "*") &&
    has("resources", kind, "*", "*/*", `${kind}/*`) &&
    rule["scope"] !== scope
  );
}

/** True if the API server refuses what the policies forbid our accounts; false, too, if that may not be read. */
export async function areAccountsDenied(look: Look): Promise<boolean> {
  const path = `${REGISTRATION}/validatingadmissionpolicybindings`;
  const denying = await listOf(look, "admission policies of our accounts", path, (raw) => {
    const spec = recordOf(raw["spec"]);
    const denies =
      ACCOUNT_POLICY.test(textOf(spec["policyName"])) && textsOf(spec["validationActions"]).includes("Deny");
    return denies || undefined;
  });
  return denying.length > 0;
}
