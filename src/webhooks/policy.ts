/**
 * Validates the policy's ConfigMap: when a user applies a broken policy, kubectl shows every error at once, with its
 * place. Fails open: a bad policy that slips through does no harm, because every replica keeps the last good one.
 */
import type { AdmissionRequest, AdmissionResponse } from "../api/admission-review.ts";
import { POLICY_CONFIG_MAP } from "../api/names.ts";
import { parsePolicyConfigMap, type PolicyError } from "../policy/parse.ts";
import { allowAsIs } from "./patch.ts";

/** The API server's own answer to an object with invalid fields. */
const INVALID = { code: 422, reason: "Invalid" } as const;

const isConfigMapWrite = ({ operation, resource }: AdmissionRequest) =>
  (operation === "CREATE" || operation === "UPDATE") && resource.group === "" && resource.resource === "configmaps";

/** The text that kubectl shows: one line for each error. */
export function denialMessage(errors: readonly PolicyError[]): string {
  const count = errors.length === 1 ? "an error" : `${errors.length} errors`;
  return `the policy in ConfigMap ${POLICY_CONFIG_MAP} has ${count}:\n${errors.map(({ message }) => `- ${message}`).join("\n")}`;
}

/** The handler of `/validate/policy`. It allows other ConfigMaps. */
export function admitPolicy(request: AdmissionRequest): AdmissionResponse {
  const { uid, object } = request;
  const name = (object as { metadata?: { name?: unknown } } | null | undefined)?.metadata?.name ?? request.name;
  if (!isConfigMapWrite(request) || name !== POLICY_CONFIG_MAP) return allowAsIs(uid);
  const result = parsePolicyConfigMap(object ?? {});
  if (result.ok) return allowAsIs(uid);
  return { uid, allowed: false, status: { ...INVALID, message: denialMessage(result.errors) } };
}
