/** Refusals of the API server: HTTP status, reason and, for invalid objects, the fields that are wrong. */
import { ApiError } from "../../../src/kube/client/api-error.ts";
import type { Resource } from "./resources.ts";

/** One wrong field of an object. `reason` is one of Kubernetes' own: FieldValueInvalid, FieldValueForbidden … */
export interface Cause {
  readonly reason: `FieldValue${"Invalid" | "Forbidden" | "Required" | "Duplicate" | "TooLong" | "NotSupported"}`;
  readonly field: string;
  readonly message: string;
}

/** A request that the server refuses. */
export class Refusal extends ApiError {
  readonly causes: readonly Cause[];

  constructor(
    status: number,
    reason: string,
    message: string,
    causes: readonly Cause[] = [],
    retryAfterSeconds?: number,
  ) {
    super(status, reason, message, { retryAfterSeconds });
    this.name = "Refusal";
    this.causes = causes;
  }

  /** The body of the answer. */
  toStatus(): object {
    const details = {
      ...(this.causes.length === 0 ? {} : { causes: this.causes }),
      ...(this.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: this.retryAfterSeconds }),
    };
    return {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: this.message,
      ...(this.reason === "" ? {} : { reason: this.reason }),
      ...(Object.keys(details).length === 0 ? {} : { details }),
      code: this.status,
    };
  }
}

export const invalidField = (field: string, message: string): Cause => ({
  reason: "FieldValueInvalid",
  field,
  message,
});
export const forbiddenField = (field: string, message: string): Cause => ({
  reason: "FieldValueForbidden",
  field,
  message,
});
export const requiredField = (field: string, message = "must be set"): Cause => ({
  reason: "FieldValueRequired",
  field,
  message,
});

export const badRequest = (message: string) => new Refusal(400, "BadRequest", message);
export const forbidden = (message: string) => new Refusal(403, "Forbidden", message);
export const notFound = ({ plural }: Pick<Resource, "plural">, name: string) =>
  new Refusal(404, "NotFound", `${plural} "${name}" not found`);
export const alreadyExists = ({ plural }: Resource, name: string) =>
  new Refusal(409, "AlreadyExists", `${plural} "${name}" already exists`);
export const conflict = ({ plural }: Resource, name: string, why: string) =>
  new Refusal(409, "Conflict", `Operation cannot be fulfilled on ${plural} "${name}": ${why}`);
export const expired = (message: string) => new Refusal(410, "Expired", message);
export const misfit = (message: string) =>
  new Refusal(422, "Invalid", `the server rejected our request due to an error in our request (${message})`);

/** @throws when there are causes */
export function refuseInvalid({ kind }: Resource, name: string, causes: readonly Cause[]): void {
  if (causes.length === 0) return;
  const texts = causes.map(({ field, message }) => `${field}: ${message}`);
  throw new Refusal(422, "Invalid", `${kind} "${name}" is invalid: ${texts.join(", ")}`, causes);
}
