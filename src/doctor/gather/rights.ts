/**
 * Checks rights by SelfSubjectAccessReview: our own, and those of Paceline's account by impersonation. A review changes
 * nothing.
 */
import { LEADER_LEASE, POLICY_CONFIG_MAP } from "../../api/names.ts";
import { recordOf } from "../../kube/parse/kube-json.ts";
import type { MissingRight } from "../facts.ts";
import { inParallel, type Look, seen } from "./look.ts";

/** In the words of `resourceAttributes`. */
export interface Right {
  readonly verb: string;
  /** "" is the core group. */
  readonly group?: string;
  readonly resource: string;
  readonly subresource?: string;
  readonly namespace?: string;
  readonly name?: string;
}

const REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
const PARALLEL = 8;

const each = (verbs: readonly string[], right: Omit<Right, "verb">): Right[] =>
  verbs.map((verb) => ({ verb, ...right }));

/** The rights that `paceline serve` needs. Equal to webhook-config/rbac.yaml; a test compares them. */
export function serviceRights(namespace: string): Right[] {
  return [
    ...each(["get", "list", "watch", "patch"], { resource: "pods" }),
    ...each(["get", "list", "watch", "patch"], { resource: "nodes" }),
    ...each(["list", "watch"], { group: "apps", resource: "daemonsets" }),
    ...each(["list", "watch"], { resource: "events" }),
    { verb: "create", group: "events.k8s.io", resource: "events" },
    ...each(["list", "watch"], { resource: "configmaps", namespace, name: POLICY_CONFIG_MAP }),
    ...each(["get", "patch"], { group: "coordination.k8s.io", resource: "leases", namespace, name: LEADER_LEASE }),
    { verb: "create", group: "coordination.k8s.io", resource: "leases", namespace },
  ];
}

/** True if we have the right; undefined if the API server does not say. */
export function may(look: Look, right: Right): Promise<boolean | undefined> {
  return seen(look, "rights", undefined, () => review(look, right, {}));
}

/** The rights that the account lacks. If we may not impersonate it, notes that and returns undefined. */
export async function rightsMissing(
  look: Look,
  account: string,
  namespace: string,
): Promise<MissingRight[] | undefined> {
  const headers = { "impersonate-user": account };
  return seen(look, `rights of ${account} (asking takes the right to impersonate it)`, undefined, async () => {
    const answers = await inParallel(serviceRights(namespace), PARALLEL, async (right) => ({
      right,
      allowed: await review(look, right, headers),
    }));
    return answers.filter(({ allowed }) => !allowed).map(({ right }) => rightText(right));
  });
}

/** `patch nodes`, `get leases.coordination.k8s.io/paceline-leader in paceline`. */
function rightText({ verb, group, resource, name, namespace }: Right): string {
  const full = `${resource}${group === undefined ? "" : `.${group}`}${name === undefined ? "" : `/${name}`}`;
  return `${verb} ${full}${namespace === undefined ? "" : ` in ${namespace}`}`;
}

async function review(
  { client }: Look,
  resourceAttributes: Right,
  headers: Readonly<Record<string, string>>,
): Promise<boolean> {
  const body = {
    apiVersion: "authorization.k8s.io/v1",
    kind: "SelfSubjectAccessReview",
    spec: { resourceAttributes },
  };
  const { status } = await client.create(REVIEWS, body, undefined, { headers });
  return recordOf(status)["allowed"] === true;
}
