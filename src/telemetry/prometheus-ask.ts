/** One request to the API of Prometheus, read series by series as it comes. */
import { type Access } from "./access.ts";
import { exchange } from "./exchange.ts";
import { jsonElements } from "./json-elements.ts";
import { TelemetryFailure } from "./source.ts";

/** Largest answer that is read, in bytes. 5,000 nodes with two disks each have about 12 MB. */
export const MAX_ANSWER_BYTES = 67_108_864;

export interface PrometheusRequest {
  readonly settings: { readonly url: string };
  readonly access: Access;
  readonly timeoutMs: number;
  /** Such as `/api/v1/query`. */
  readonly path: string;
  readonly form: Readonly<Record<string, string>>;
  readonly resultType: "vector" | "matrix";
  /** What to do about a refusal; ends its message. */
  readonly cure?: string;
  /** Told of each series; what it throws makes the answer a bad one. */
  readonly onElement: (element: unknown) => void;
}

/** Resolves when the whole answer was read. @throws TelemetryFailure */
export async function askPrometheus(request: PrometheusRequest): Promise<void> {
  const { settings, access, timeoutMs, path, form, resultType, cure, onElement } = request;
  const url = `${settings.url.replace(/\/+$/, "")}${path}`;
  const reader = jsonElements(onElement);
  const { status, excerpt } = await exchange({
    ...{ url, dispatcher: access.agent, timeoutMs, maxBytes: MAX_ANSWER_BYTES, method: "POST" },
    headers: {
      ...access.headers,
      "content-type": "application/x-www-form-urlencoded",
      accept: "application/json",
    },
    body: new URLSearchParams(form).toString(),
    onChunk: readingBy(url, (chunk) => reader.push(chunk)),
  });
  if (status !== 200)
    throw new TelemetryFailure(
      "BadStatus",
      `${url} answers ${status}: ${excerpt}${cure === undefined ? "" : `; ${cure}`}`,
    );
  readingBy(url, () => checkFrame(reader.end(), resultType))();
}

/** Turns errors of a reader into a TelemetryFailure of this server. */
function readingBy<Given extends unknown[]>(url: string, read: (...given: Given) => void) {
  return (...given: Given) => {
    try {
      read(...given);
    } catch (error) {
      const detail = error instanceof Error ? error.message : String(error);
      throw new TelemetryFailure("BadAnswer", `${url} does not answer as Prometheus does: ${detail.slice(0, 200)}`);
    }
  };
}

function checkFrame(frame: unknown, resultType: string): void {
  const { status, data } = (frame ?? {}) as { status?: unknown; data?: { resultType?: unknown } | null };
  if (status !== "success" || data?.resultType !== resultType)
    throw new Error(`its answer is no ${resultType} of series`);
}
