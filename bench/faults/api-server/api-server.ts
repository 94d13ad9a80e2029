/**
 * An API server in memory that keeps Kubernetes' rules: versions, conflicts, validation, admission, watches. It is
 * synchronous inside, its clock and its chance are the caller's, so a run can be repeated. test/cluster/fake-api-server
 * compares it with a real kube-apiserver.
 */
import type { ApiClient, PatchKind, Query, RawAnswer } from "../../../src/kube/client/api-client.ts";
import type { Clock } from "../../../src/kube/clock.ts";
import type { KubeObject } from "../../../src/kube/parse/kube-json.ts";
import type { Webhook } from "./admission.ts";
import { createFakeClient, type FakeClient } from "./client.ts";
import { bind } from "./requests/bind.ts";
import { create } from "./requests/create.ts";
import { remove, type DeleteOptions } from "./requests/delete.ts";
import { list, type List } from "./requests/list.ts";
import { patch, update } from "./requests/update.ts";
import { parsePath } from "./paths.ts";
import { typed } from "./resources.ts";
import { PRIORITY_CLASSES } from "./rules/pod-defaults.ts";
import { compactingStore } from "./storage/compaction.ts";
import { createStore } from "./storage/store.ts";
import { existing, type World } from "./world.ts";

export interface FakeApiServerOptions {
  readonly clock: Clock;
  /** 0 to 1, for uids, generated names and the end of watches. */
  readonly random: () => number;
  /** Webhooks, in order; see {@link FakeApiServer.webhooks}. */
  readonly admission?: readonly Webhook[] | undefined;
  /** Namespaces besides Kubernetes' own. */
  readonly namespaces?: readonly string[] | undefined;
  /** Priorities by PriorityClass, besides Kubernetes' own. */
  readonly priorityClasses?: Readonly<Record<string, number>> | undefined;
  /** From a change to its arrival at a watch of this client, ms; asked for each line. Default 0. */
  readonly watchLagMs?: ((client: string) => number) | undefined;
  /**
   * Changes older than this to twice this are compacted, ms; Infinity for never. Default 300,000, as kube-apiserver.
   */
  readonly compactEveryMs?: number | undefined;
  /** Answers `raw` requests of a client first, such as those to a kubelet through the proxy. */
  readonly proxy?: ((client: string, method: string, path: string) => RawAnswer | undefined) | undefined;
}

/** The methods are those of actors of the modelled world. Paths are the API server's. All but `find` throw Refusal. */
export interface FakeApiServer {
  /** The newest resourceVersion. */
  readonly version: number;
  /** Asked on every create and update, in order; may be changed at any time. */
  webhooks: readonly Webhook[];
  client(name: string): ApiClient;
  /** Breaks all running watches of a client, or of every client. */
  cut(client?: string): void;
  get(path: string): KubeObject;
  find(path: string): KubeObject | undefined;
  list(path: string, query?: Query): List;
  create(path: string, body: object): KubeObject;
  /** PUT, of an object or its `/status`. */
  update(path: string, body: object): KubeObject;
  /** PATCH, of an object or its `/status`. */
  patch(path: string, body: object, kind: PatchKind): KubeObject;
  delete(path: string, options?: DeleteOptions): KubeObject;
  /** Binds the pod at `path` to a node. */
  bind(path: string, node: string): void;
  /** Forgets the changes before this version: older positions and continue tokens answer 410. */
  compact(before: number): void;
}

const NAMESPACES = ["default", "kube-system", "kube-public", "kube-node-lease"];

/** @throws never */
export function createFakeApiServer(options: FakeApiServerOptions): FakeApiServer {
  const { clock, random, compactEveryMs = 300_000 } = options;
  const world: World & { webhooks: readonly Webhook[] } = {
    now: () => clock.now(),
    random,
    store: compactingStore(createStore(), clock, compactEveryMs),
    webhooks: [],
    priorityClasses: { ...PRIORITY_CLASSES, ...options.priorityClasses },
  };
  for (const name of [...NAMESPACES, ...(options.namespaces ?? [])]) {
    create(world, parsePath("/api/v1/namespaces"), { metadata: { name } });
  }
  world.webhooks = options.admission ?? [];
  const clients = new Map<string, FakeClient[]>();
  return {
    get version() {
      return world.store.version;
    },
    get webhooks() {
      return world.webhooks;
    },
    set webhooks(webhooks) {
      world.webhooks = webhooks;
    },
    client(name) {
      const lagMs = () => options.watchLagMs?.(name) ?? 0;
      const proxy = (method: string, path: string) => options.proxy?.(name, method, path);
      const client = createFakeClient(world, { name, clock, lagMs, proxy });
      clients.set(name, [...(clients.get(name) ?? []), client]);
      return client;
    },
    cut(name) {
      const cut = name === undefined ? [...clients.values()].flat() : (clients.get(name) ?? []);
      for (const client of cut) client.cut();
    },
    ...actorMethods(world),
    compact: (before) => world.store.compact(before),
  };
}

function actorMethods(world: World) {
  return {
    get: (path: string) => {
      const target = parsePath(path);
      return typed(target.resource, existing(world, target));
    },
    find: (path: string) => {
      const target = parsePath(path);
      const key = target.namespace === "" ? target.name : `${target.namespace}/${target.name}`;
      const found = world.store.get(target.resource, key);
      return found === undefined ? undefined : typed(target.resource, found);
    },
    list: (path: string, query: Query = {}) => list(world, parsePath(path), query),
    create: (path: string, body: object) => create(world, parsePath(path), body),
    update: (path: string, body: object) => update(world, parsePath(path), body),
    patch: (path: string, body: object, kind: PatchKind) => patch(world, parsePath(path), body, kind),
    delete: (path: string, options: DeleteOptions = {}) => remove(world, parsePath(path), options).object,
    bind: (path: string, node: string) => {
      const target = parsePath(path);
      bind(world, target, { metadata: { name: target.name }, target: { kind: "Node", name: node } });
    },
  };
}
