/** The errors of requests to the API server. */
import { isRecord } from "../parse/kube-json.ts";

/**
 * A request that the API server refused, or that never got an answer.
 *
 * `status` is the HTTP status, or 0 where there was no answer (`reason` is then `Timeout`, `Aborted` or `Unreachable`).
 * `reason` is the Status object's `reason` (`Conflict`, `NotFound`, `Expired`, `Invalid` …), or "".
 */
export class ApiError extends Error {
  readonly status: number;
  readonly reason: string;
  readonly retryAfterSeconds: number | undefined;

  constructor(
    status: number,
    reason: string,
    message: string,
    options: { retryAfterSeconds?: number | undefined; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = "ApiError";
    this.status = status;
    this.reason = reason;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/** The error for an answer of 400 and above; `body` is a Status object or whatever a proxy in between sent. */
export function errorFromAnswer(where: string, status: number, body: string, retryAfter?: string): ApiError {
  const parsed = parseStatus(body);
  const message = typeof parsed.message === "string" ? parsed.message : body.slice(0, 300).trim();
  const seconds = retryAfterSeconds(parsed, retryAfter);
  const reason = typeof parsed.reason === "string" ? parsed.reason : "";
  return new ApiError(status, reason, `${where}: ${status} ${reason} ${message}`.trim(), {
    retryAfterSeconds: seconds,
  });
}

/** The error for a request without an answer: time-out, reset, refused connection, DNS. */
export function errorFromFailure(where: string, cause: unknown): ApiError {
  if (cause instanceof ApiError) return cause;
  const name = cause instanceof Error ? cause.name : "";
  const text = cause instanceof Error ? cause.message : String(cause);
  const reason = /timeout/i.test(name) ? "Timeout" : name === "AbortError" ? "Aborted" : "Unreachable";
  return new ApiError(0, reason, `${where}: ${reason}: ${text}`, { cause });
}

/** The list or watch position is too old for the server. The caller must list again from the start. */
export function isExpired(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 410 || error.reason === "Expired" || error.reason === "Gone");
}

/** The answer leaves open whether the API server has carried out the request: there was none, or it failed midway. */
export function mayBeDone(error: unknown): boolean {
  return !(error instanceof ApiError) || error.status === 0 || error.status >= 500;
}

/**
 * A policy, an admission plugin or a webhook refuses the result of a write; sent again, it would be refused again.
 * PodTolerationRestriction says 500 when it does.
 */
export function isRefusal(error: unknown): boolean {
  if (!(error instanceof ApiError) || isPatchMismatch(error)) return false;
  const { status, message } = error;
  return status === 400 || status === 403 || status === 422 || (status === 500 && /toleration/i.test(message));
}

/** The right to do so is missing. */
export function isForbidden(error: unknown): boolean {
  return error instanceof ApiError && error.status === 403;
}

/** The answer had begun, and then nothing came for as long as the request allows. */
export function wasSilent(error: unknown): boolean {
  return error instanceof ApiError && error.cause instanceof Error && error.cause.name === "BodyTimeoutError";
}

/** The object is not there (any more). */
export function isNotFound(error: unknown): boolean {
  return error instanceof ApiError && error.status === 404;
}

/**
 * Another client wrote first: the object no longer has the resourceVersion or uid on which the write was conditional.
 */
export function isConflict(error: unknown): boolean {
  return error instanceof ApiError && error.status === 409;
}

/** Source: k8s.io/apimachinery, pkg/api/errors/errors.go, NewGenericServerResponse. */
const MISFIT = "the server rejected our request due to an error in our request";

/**
 * A JSON Patch did not fit the object: a `test` failed, or a path is not there. The API server says 422 Invalid, as it
 * does where a policy or its own validation refuses the result; only the sentence tells them apart.
 */
export function isPatchMismatch(error: unknown): boolean {
  return error instanceof ApiError && error.status === 422 && error.message.includes(MISFIT);
}

function parseStatus(body: string): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(body);
    return isRecord(parsed) ? parsed : {};
  } catch {
    return {};
  }
}

function retryAfterSeconds(status: Readonly<Record<string, unknown>>, header?: string): number | undefined {
  const details = isRecord(status["details"]) ? status["details"] : {};
  const seconds = Number(details["retryAfterSeconds"] ?? header ?? Number.NaN);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined;
}
