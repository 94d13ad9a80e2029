/** Checks rights by reviews, which change nothing: our own, and those of Paceline's accounts. */
import { LEADER_LEASE, POLICY_CONFIG_MAP } from "../../api/names.ts";
import { ApiError } from "../../kube/client/api-error.ts";
import { recordOf } from "../../kube/parse/kube-json.ts";
import type { AccountRights } from "../facts.ts";
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

/** An account and the rights that it needs. */
export interface Account {
  readonly namespace: string;
  readonly name: string;
  readonly rights: readonly Right[];
}

const REVIEWS = "/apis/authorization.k8s.io/v1";
const SELF_REVIEWS = `${REVIEWS}/selfsubjectaccessreviews`;
const SUBJECT_REVIEWS = `${REVIEWS}/subjectaccessreviews`;
const PARALLEL = 8;

export const each = (verbs: readonly string[], right: Omit<Right, "verb">): Right[] =>
  verbs.map((verb) => ({ verb, ...right }));

/** The rights that `paceline serve` needs. Equal to webhook-config/rbac.yaml; a test compares them. */
export function serviceRights(namespace: string): Right[] {
  return [
    ...each(["get", "list", "watch", "patch"], { resource: "pods" }),
    ...each(["get", "list", "watch", "patch"], { resource: "nodes" }),
    ...each(["list", "watch"], { group: "apps", resource: "daemonsets" }),
    ...each(["list", "watch"], { resource: "namespaces" }),
    ...each(["list", "watch"], { resource: "events" }),
    { verb: "create", group: "events.k8s.io", resource: "events" },
    ...each(["list", "watch"], { resource: "configmaps", namespace, name: POLICY_CONFIG_MAP }),
    ...each(["get", "patch"], { group: "coordination.k8s.io", resource: "leases", namespace, name: LEADER_LEASE }),
    { verb: "create", group: "coordination.k8s.io", resource: "leases", namespace },
  ];
}

/** True if we have the right; undefined if the API server does not say. */
export function may(look: Look, right: Right): Promise<boolean | undefined> {
  return seen(look, "rights", undefined, () => review(look, SELF_REVIEWS, { resourceAttributes: right }));
}

/**
 * The rights that the account lacks, by SubjectAccessReview; if we may not make one, by asking as that account. If we
 * may do neither, notes that and returns undefined.
 */
export async function rightsMissing(look: Look, { namespace, name, rights }: Account): Promise<AccountRights> {
  const account = `system:serviceaccount:${namespace}:${name}`;
  const groups = ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"];
  const ask = (right: Right) =>
    review(look, SUBJECT_REVIEWS, { user: account, groups, resourceAttributes: right }).catch((error: unknown) => {
      if (!(error instanceof ApiError && error.status === 403)) throw error;
      return review(look, SELF_REVIEWS, { resourceAttributes: right }, { "impersonate-user": account });
    });
  const missing = await seen(
    look,
    `rights of ${account} (asking takes the right to create subjectaccessreviews)`,
    undefined,
    async () => {
      const answers = await inParallel(rights, PARALLEL, async (right) => ({ right, allowed: await ask(right) }));
      return answers.filter(({ allowed }) => !allowed).map(({ right }) => rightText(right));
    },
  );
  return { account, missing };
}

/** `patch nodes`, `get leases.coordination.k8s.io/paceline-leader in paceline`. */
function rightText({ verb, group, resource, subresource, name, namespace }: Right): string {
  const full = `${resource}${subresource === undefined ? "" : `/${subresource}`}${group === undefined ? "" : `.${group}`}${name === undefined ? "" : `/${name}`}`;
  return `${verb} ${full}${namespace === undefined ? "" : ` in ${namespace}`}`;
}

async function review(
  { client }: Look,
  path: string,
  spec: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<boolean> {
  const kind = path === SELF_REVIEWS ? "SelfSubjectAccessReview" : "SubjectAccessReview";
  const body = { apiVersion: "authorization.k8s.io/v1", kind, spec };
  const { status } = await client.create(path, body, undefined, { headers });
  return recordOf(status)["allowed"] === true;
}
