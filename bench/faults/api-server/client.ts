/** Production's ApiClient on the fake API server. A request is carried out at once and answered a moment later. */
import type { ApiClient, Query, RawAnswer, RawRequest, WatchOptions } from "../../../src/kube/client/api-client.ts";
import { ApiError, errorFromAnswer, errorFromFailure } from "../../../src/kube/client/api-error.ts";
import type { Clock } from "../../../src/kube/clock.ts";
import type { KubeList, KubeObject } from "../../../src/kube/parse/kube-json.ts";
import { Refusal } from "./refusals.ts";
import { handle, type Request } from "./requests/handle.ts";
import { parsePath } from "./paths.ts";
import { startWatch } from "./watching/watch.ts";
import type { World } from "./world.ts";

export interface ClientSettings {
  readonly name: string;
  readonly clock: Clock;
  readonly lagMs: () => number;
  /** Answers raw requests to paths that the server does not serve itself, such as a kubelet's through the proxy. */
  readonly proxy: ((method: string, path: string) => RawAnswer | undefined) | undefined;
}

/** The client, and a way to cut its watches. */
export interface FakeClient extends ApiClient {
  /** Breaks the running watches, as a server does that goes away. */
  cut(): void;
}

export function createFakeClient(world: World, settings: ClientSettings): FakeClient {
  const breaks = new Set<(error: ApiError) => void>();
  let isClosed = false;
  const ask = (request: Request, signal?: AbortSignal): Promise<KubeObject> =>
    settled(() => {
      const where = `${request.method} ${request.path}`;
      if (isClosed || signal?.aborted === true) throw new ApiError(0, "Aborted", `${where}: Aborted`);
      const { status, body } = handle(world, request);
      if (status >= 400) throw errorFromAnswer(where, status, JSON.stringify(body));
      return body;
    });
  const breakAll = (error: ApiError) => [...breaks].forEach((one) => one(error));
  return {
    url: `https://${settings.name}.fake.invalid`,
    get: (path, query, options) => ask({ method: "GET", path, query }, options?.signal),
    list: (path, query, options) => ask({ method: "GET", path, query }, options?.signal).then(toList),
    create: (path, body, query, options) => ask({ method: "POST", path, query, body }, options?.signal),
    patch: (path, body, patchKind, query, options) =>
      ask({ method: "PATCH", path, query, body, patchKind }, options?.signal),
    remove: (path, query, body, options) => ask({ method: "DELETE", path, query, body }, options?.signal),
    watch: (path, query, options) => watch(world, settings, { path, query, options, breaks, isClosed }),
    raw: (method, path, options) => settled(() => raw(world, settings, method, path, options)),
    cut: () => breakAll(new ApiError(0, "Unreachable", "the connection was cut")),
    close: () =>
      settled(() => {
        isClosed = true;
        breakAll(new ApiError(0, "Aborted", "the client was closed"));
      }),
  };
}

const toList = ({ metadata, items }: KubeObject) => ({ metadata, items }) as KubeList;

/** Runs now; the promise tells the outcome. */
function settled<T>(run: () => T): Promise<T> {
  return new Promise((resolve) => resolve(run()));
}

const PATCH_KINDS = {
  "application/json-patch+json": "json",
  "application/merge-patch+json": "merge",
  "application/strategic-merge-patch+json": "strategic",
} as const;

function raw(
  world: World,
  settings: ClientSettings,
  method: string,
  path: string,
  options: RawRequest = {},
): RawAnswer {
  const proxied = settings.proxy?.(method, path);
  if (proxied !== undefined) return proxied;
  const { query, body, contentType = "" } = options;
  const patchKind = contentType in PATCH_KINDS ? PATCH_KINDS[contentType as keyof typeof PATCH_KINDS] : undefined;
  const parsed: unknown = body === undefined ? undefined : JSON.parse(body);
  const answer = handle(world, { method, path, query, body: parsed, patchKind });
  return { status: answer.status, text: JSON.stringify(answer.body), retryAfter: undefined };
}

interface WatchCall {
  readonly path: string;
  readonly query: Query;
  readonly options: WatchOptions;
  readonly breaks: Set<(error: ApiError) => void>;
  readonly isClosed: boolean;
}

function watch(world: World, { clock, lagMs }: ClientSettings, call: WatchCall): Promise<void> {
  const { path, query, options, breaks, isClosed } = call;
  const { signal, idleTimeoutMs = 0 } = options;
  return new Promise((resolve, reject) => {
    let stop: () => void = () => undefined;
    let disarm: () => void = () => undefined;
    const over = () => {
      stop();
      disarm();
      breaks.delete(fail);
      signal?.removeEventListener("abort", abort);
    };
    const fail = (error: unknown) => {
      over();
      reject(failureOf(path, error));
    };
    const abort = () => fail(new ApiError(0, "Aborted", `WATCH ${path}: Aborted`));
    const arm = () => {
      disarm();
      if (idleTimeoutMs > 0) disarm = clock.setTimer(() => fail(silence(path, idleTimeoutMs)), idleTimeoutMs);
    };
    if (isClosed || signal?.aborted === true) {
      abort();
      return;
    }
    breaks.add(fail);
    signal?.addEventListener("abort", abort, { once: true });
    const line = (text: string) => {
      arm();
      try {
        options.onLine(text);
      } catch (error) {
        fail(error);
      }
    };
    const end = () => {
      over();
      resolve();
    };
    try {
      stop = startWatch(world, parsePath(path), query, { line, end }, { clock, lagMs });
      arm();
      options.onOpen?.();
    } catch (error) {
      fail(error);
    }
  });
}

const silence = (path: string, ms: number) => new ApiError(0, "Timeout", `WATCH ${path}: Timeout: silent for ${ms} ms`);

function failureOf(path: string, error: unknown): ApiError {
  if (error instanceof Refusal) return errorFromAnswer(`WATCH ${path}`, error.status, JSON.stringify(error.toStatus()));
  return errorFromFailure(`WATCH ${path}`, error);
}
