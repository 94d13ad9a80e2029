/**
 * A thin REST client of the API server. It sends and receives raw JSON without generated models, so a page of a list
 * costs one JSON.parse. Every request ends: with its answer, with an {@link ApiError}, or with its time-out.
 */
import type { KubeConfig } from "@kubernetes/client-node";
import { request } from "undici";
import type { Dispatcher } from "undici";
import { COMPONENT } from "../../api/names.ts";
import { ApiError, errorFromAnswer, errorFromFailure } from "./api-error.ts";
import { createConnections } from "./connections.ts";
import type { Connections } from "./connections.ts";
import { kubeConfigCredentials, tokenCredentials } from "./credentials.ts";
import type { Credentials, TokenAccess } from "./credentials.ts";
import type { KubeList, KubeObject } from "../parse/kube-json.ts";
import type { ServerClock } from "../server-clock.ts";
import { lineCutter } from "./lines.ts";

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** The patch format of a body. */
export type PatchKind = "json" | "merge" | "strategic";

export interface RequestOptions {
  readonly signal?: AbortSignal | undefined;
  /** For the whole request, connecting included; default {@link REQUEST_TIMEOUT_MS}. */
  readonly timeoutMs?: number | undefined;
  /** Headers besides the credentials, such as `impersonate-user`. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

export interface RawRequest extends RequestOptions {
  readonly query?: Query | undefined;
  readonly body?: string | undefined;
  readonly contentType?: string | undefined;
  /** Largest answer; a larger one rejects with reason `TooLarge`. Default: no bound of the client's. */
  readonly maxBytes?: number | undefined;
}

export interface RawAnswer {
  readonly status: number;
  readonly text: string;
  readonly retryAfter: string | undefined;
}

export interface WatchOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called for every line, in order. An error that it throws ends the watch. */
  readonly onLine: (line: string) => void;
  /** Called once when the server has accepted the watch. */
  readonly onOpen?: (() => void) | undefined;
  /** Ends the watch with an error when no byte came for this long; 0 or absent: never. */
  readonly idleTimeoutMs?: number | undefined;
}

/** Paths start with `/api/…` or `/apis/…`. All methods reject with {@link ApiError}. */
export interface ApiClient {
  /** Address of the API server. */
  readonly url: string;
  get(path: string, query?: Query, options?: RequestOptions): Promise<KubeObject>;
  list(path: string, query?: Query, options?: RequestOptions): Promise<KubeList>;
  create(path: string, body: unknown, query?: Query, options?: RequestOptions): Promise<KubeObject>;
  patch(path: string, body: unknown, kind: PatchKind, query?: Query, options?: RequestOptions): Promise<KubeObject>;
  /** DELETE; `body` is DeleteOptions. */
  remove(path: string, query?: Query, body?: unknown, options?: RequestOptions): Promise<KubeObject>;
  /** Ends normally when the server ends the watch; adds `watch=true` itself. */
  watch(path: string, query: Query, options: WatchOptions): Promise<void>;
  /** Any request; resolves for every HTTP status. */
  raw(method: Dispatcher.HttpMethod, path: string, options?: RawRequest): Promise<RawAnswer>;
  /** Drops every connection; running requests and watches reject. */
  close(): Promise<void>;
}

/** Assumed: three times what a busy API server takes for a page of a list; below the 60 s it allows itself. */
export const REQUEST_TIMEOUT_MS = 20_000;

const PATCH_TYPES: Readonly<Record<PatchKind, string>> = {
  json: "application/json-patch+json",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
};

/** What a client tells of its requests. */
export interface ClientListeners {
  /** Hears the date of every answer. */
  readonly clock?: Pick<ServerClock, "asked"> | undefined;
  /** Called for each request that is over, watches excepted; status 0: there was no answer. */
  readonly onAnswer?: ((method: string, status: number) => void) | undefined;
}

/** Connects lazily: the first request reads the credentials. */
export function createApiClient(
  access: KubeConfig | TokenAccess | Credentials,
  listeners: ClientListeners = {},
): ApiClient {
  const credentials = toCredentials(access);
  const base = credentials.url.replace(/\/+$/, "");
  const closing = new AbortController();
  const wire: Wire = { base, connections: createConnections(credentials), closing: closing.signal, ...listeners };
  return {
    url: base,
    get: (path, query, options) => json(wire, "GET", path, { query, ...options }),
    list: async (path, query, options) => toList(path, await json(wire, "GET", path, { query, ...options })),
    create: (path, body, query, options) => json(wire, "POST", path, { query, ...withBody(body), ...options }),
    patch: (path, body, kind, query, options) =>
      json(wire, "PATCH", path, { query, ...withBody(body, PATCH_TYPES[kind]), ...options }),
    remove: (path, query, body, options) => json(wire, "DELETE", path, { query, ...withBody(body), ...options }),
    watch: (path, query, options) => watch(wire, path, query, options),
    raw: (method, path, options = {}) => send(wire, method, path, options),
    close: async () => {
      closing.abort();
      await wire.connections.close();
    },
  };
}

/** What a request needs of its client. */
interface Wire extends ClientListeners {
  readonly base: string;
  readonly connections: Connections;
  /** Aborts when the client is closed. */
  readonly closing: AbortSignal;
}

async function send(wire: Wire, method: Dispatcher.HttpMethod, path: string, options: RawRequest): Promise<RawAnswer> {
  const timeout = AbortSignal.timeout(options.timeoutMs ?? REQUEST_TIMEOUT_MS);
  try {
    const { agents, headers } = await wire.connections.open();
    const heard = wire.clock?.asked();
    const answer = await request(address(wire.base, path, options.query), {
      method,
      dispatcher: agents.requests,
      headers: requestHeaders({ ...headers, ...options.headers }, options.contentType),
      body: options.body ?? null,
      signal: anySignal(timeout, wire.closing, options.signal),
    });
    heard?.(oneHeader(answer.headers["date"]));
    const text = await readText(answer.body, `${method} ${path}`, options.maxBytes);
    if (answer.statusCode === 401) wire.connections.forget();
    wire.onAnswer?.(method, answer.statusCode);
    return { status: answer.statusCode, text, retryAfter: oneHeader(answer.headers["retry-after"]) };
  } catch (error) {
    wire.onAnswer?.(method, 0);
    throw errorFromFailure(`${method} ${path}`, timeout.aborted ? timeout.reason : error);
  }
}

async function readText(body: Dispatcher.ResponseData["body"], where: string, maxBytes?: number): Promise<string> {
  if (maxBytes === undefined) return body.text();
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new ApiError(0, "TooLarge", `${where}: the answer has more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

async function json(wire: Wire, method: Dispatcher.HttpMethod, path: string, options: RawRequest): Promise<KubeObject> {
  const answer = await send(wire, method, path, options);
  if (answer.status >= 400) throw errorFromAnswer(`${method} ${path}`, answer.status, answer.text, answer.retryAfter);
  return parseAnswer(`${method} ${path}`, answer);
}

async function watch(wire: Wire, path: string, query: Query, options: WatchOptions): Promise<void> {
  try {
    const { agents, headers } = await wire.connections.open();
    const heard = wire.clock?.asked();
    const answer = await request(address(wire.base, path, { ...query, watch: true }), {
      method: "GET",
      dispatcher: agents.watches,
      headers: requestHeaders(headers, undefined),
      signal: anySignal(wire.closing, options.signal),
      headersTimeout: REQUEST_TIMEOUT_MS,
      bodyTimeout: options.idleTimeoutMs ?? 0,
    });
    heard?.(oneHeader(answer.headers["date"]));
    if (answer.statusCode === 401) wire.connections.forget();
    if (answer.statusCode >= 400) {
      const retryAfter = oneHeader(answer.headers["retry-after"]);
      throw errorFromAnswer(`WATCH ${path}`, answer.statusCode, await answer.body.text(), retryAfter);
    }
    options.onOpen?.();
    const lines = lineCutter(options.onLine);
    for await (const chunk of answer.body) lines.push(chunk as Buffer);
  } catch (error) {
    throw errorFromFailure(`WATCH ${path}`, error);
  }
}

function withBody(body: unknown, contentType = "application/json"): RawRequest {
  return body === undefined ? {} : { body: JSON.stringify(body), contentType };
}

function anySignal(...signals: readonly (AbortSignal | undefined)[]): AbortSignal {
  return AbortSignal.any(signals.filter((signal) => signal !== undefined));
}

function toCredentials(access: KubeConfig | TokenAccess | Credentials): Credentials {
  if ("getCurrentCluster" in access) return kubeConfigCredentials(access);
  return "access" in access ? access : tokenCredentials(access);
}

function address(base: string, path: string, query: Query | undefined): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) if (value !== undefined) parameters.set(name, String(value));
  return parameters.size === 0 ? base + path : `${base}${path}?${parameters.toString()}`;
}

function requestHeaders(
  headers: Readonly<Record<string, string>>,
  contentType: string | undefined,
): Record<string, string> {
  const type: Record<string, string> = contentType === undefined ? {} : { "content-type": contentType };
  return { accept: "application/json", "user-agent": COMPONENT, ...headers, ...type };
}

function oneHeader(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function parseAnswer(where: string, answer: RawAnswer): KubeObject {
  try {
    return JSON.parse(answer.text) as KubeObject;
  } catch (cause) {
    throw new ApiError(answer.status, "NotJson", `${where}: the answer is not JSON`, { cause });
  }
}

function toList(path: string, body: KubeObject): KubeList {
  const items = body["items"] ?? [];
  if (!Array.isArray(items)) throw new ApiError(200, "NotAList", `GET ${path}: the answer is no list`);
  return { metadata: body.metadata ?? {}, items };
}
