/**
 * One API server that takes commands: resolves uids and versions to those that this server gave, and keeps its answers.
 */
import type { ApiClient, Query } from "../../../src/kube/client/api-client.ts";
import { isRecord, recordOf, textOf } from "../../../src/kube/parse/kube-json.ts";
import type { KubeObject } from "../../../src/kube/parse/kube-json.ts";
import type { Command, Resource, Version } from "./command.ts";

/** What a server answered. */
export interface Answer {
  readonly status: number;
  readonly body: KubeObject;
}

export interface Side {
  /** Carries out a command. @returns the answers of all its requests */
  run(command: Command): Promise<readonly Answer[]>;
  /** The resourceVersion of the newest object that an answer showed. */
  readonly newest: string;
  /** Lines of a watch of pods from a version, until a pod with this name shows. */
  watch(from: string, query: Query, until: string): Promise<readonly string[]>;
}

const PATHS: Readonly<Record<Resource, (namespace: string) => string>> = {
  pods: (namespace) => `/api/v1/namespaces/${namespace}/pods`,
  nodes: () => "/api/v1/nodes",
  configmaps: (namespace) => `/api/v1/namespaces/${namespace}/configmaps`,
  leases: (namespace) => `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`,
  events: (namespace) => `/apis/events.k8s.io/v1/namespaces/${namespace}/events`,
};

const CONTENT = {
  json: "application/json-patch+json",
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
} as const;

/** A uid that no object has. */
const WRONG_UID = "00000000-0000-4000-8000-000000000000";

/** Pages of one list; more would be a loop. */
const MOST_PAGES = 20;

export function createSide(client: ApiClient, namespace: string): Side {
  /** uids and versions of each object, as answers showed them. */
  const seen = new Map<string, { uid: string; version: string }[]>();
  let newest = "1";

  const note = (resource: Resource, object: KubeObject) => {
    const { name = "", uid = "", resourceVersion: version = "" } = object.metadata ?? {};
    if (uid === "" || version === "") return;
    const key = `${resource}/${name}`;
    const before = seen.get(key) ?? [];
    seen.set(key, before.at(-1)?.uid === uid ? [...before, { uid, version }] : [{ uid, version }]);
    if (Number(version) > Number(newest)) newest = version;
  };
  const ask = async (
    resource: Resource,
    method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE",
    path: string,
    more: object = {},
  ) => {
    const { status, text } = await client.raw(method, path, more);
    const body = JSON.parse(text) as KubeObject;
    if (status < 400) note(resource, body);
    return { status, body };
  };
  const uidOf = (resource: Resource, name: string, which: Version) => {
    if (which === "none") return undefined;
    return which === "wrong" ? WRONG_UID : seen.get(`${resource}/${name}`)?.at(-1)?.uid;
  };
  const versionOf = (resource: Resource, name: string, which: Version) => {
    if (which === "none") return undefined;
    const versions = seen.get(`${resource}/${name}`);
    return (which === "current" ? versions?.at(-1) : which === "first" ? versions?.[0] : undefined)?.version ?? "1";
  };
  const body = (value: unknown, contentType = "application/json") => ({
    body: JSON.stringify(value).replaceAll("$namespace", namespace),
    contentType,
  });
  const aim = (resource: Resource, { name, uid, version }: { name: string; uid: Version; version: Version }) => ({
    ...definedOnly({ uid: uidOf(resource, name, uid), resourceVersion: versionOf(resource, name, version) }),
  });
  const pathOf = (resource: Resource, name: string, subresource = "") =>
    [PATHS[resource](namespace), name, ...(subresource === "" ? [] : [subresource])].join("/");

  const run = async (command: Command): Promise<readonly Answer[]> => {
    switch (command.kind) {
      case "create": {
        const path = PATHS[command.resource](command.namespace ?? namespace);
        return [await ask(command.resource, "POST", path, body(command.body))];
      }
      case "json-patch": {
        const { resource, name } = command;
        const tests = Object.entries(aim(resource, command)).map(([field, value]) => {
          return { op: "test", path: `/metadata/${field}`, value };
        });
        const operations = [...tests, ...command.operations];
        return [await ask(resource, "PATCH", pathOf(resource, name), body(operations, CONTENT.json))];
      }
      case "patch": {
        const { resource, name, format, subresource } = command;
        const change = withMetadata(command.change, aim(resource, command));
        return [await ask(resource, "PATCH", pathOf(resource, name, subresource), body(change, CONTENT[format]))];
      }
      case "put": {
        const { resource, name } = command;
        const got = await client.raw("GET", pathOf(resource, name));
        if (got.status >= 400) return [{ status: got.status, body: JSON.parse(got.text) as KubeObject }];
        const {
          uid: _uid,
          resourceVersion: _version,
          ...metadata
        } = (JSON.parse(got.text) as KubeObject).metadata ?? {};
        const object = { ...(JSON.parse(got.text) as object), metadata: { ...metadata, ...aim(resource, command) } };
        return [await ask(resource, "PUT", pathOf(resource, name), body(withChange(object, command.change)))];
      }
      case "bind": {
        const { name, node } = command;
        const binding = { metadata: { name, ...aim("pods", command) }, target: { kind: "Node", name: node } };
        return [await ask("pods", "POST", pathOf("pods", name, "binding"), body(binding))];
      }
      case "delete": {
        const { resource, name, grace } = command;
        const options = { preconditions: aim(resource, command), gracePeriodSeconds: grace };
        return [await ask(resource, "DELETE", pathOf(resource, name), body(options))];
      }
      case "get":
        return [await ask(command.resource, "GET", pathOf(command.resource, command.name))];
      case "list":
        return pages(command.resource, { ...command.query, limit: command.limit });
      default:
        return command satisfies never;
    }
  };

  const pages = async (resource: Resource, query: Query): Promise<readonly Answer[]> => {
    const answers: Answer[] = [];
    let token: string | undefined;
    do {
      const answer = await ask(resource, "GET", PATHS[resource](namespace), { query: { ...query, continue: token } });
      answers.push(answer);
      token = textOf(recordOf(answer.body.metadata)["continue"]) || undefined;
    } while (token !== undefined && answers.length < MOST_PAGES);
    return answers;
  };

  const watch = async (from: string, query: Query, until: string): Promise<readonly string[]> => {
    const lines: string[] = [];
    const ending = new AbortController();
    const onLine = (line: string) => {
      if (ending.signal.aborted) return;
      lines.push(line);
      const event = JSON.parse(line) as { type: string; object: KubeObject };
      if (event.object.metadata?.name === until || event.type === "ERROR") ending.abort();
    };
    const watchQuery = { ...query, resourceVersion: from, timeoutSeconds: 20 };
    await client.watch(PATHS.pods(namespace), watchQuery, { onLine, signal: ending.signal }).catch((error: unknown) => {
      if (!ending.signal.aborted) throw error;
    });
    return lines;
  };

  return {
    run,
    watch,
    get newest() {
      return newest;
    },
  };
}

function definedOnly(record: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(record).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

function withMetadata(change: object, metadata: object): object {
  const own = recordOf((change as Record<string, unknown>)["metadata"]);
  const all = { ...own, ...metadata };
  return Object.keys(all).length === 0 ? change : { ...change, metadata: all };
}

/** What a careful client writes: the object with some fields changed. */
function withChange(object: object, change: object): object {
  const merged: Record<string, unknown> = { ...object };
  for (const [field, value] of Object.entries(change) as [string, unknown][]) {
    const before = merged[field];
    const isBranch = isRecord(value) && isRecord(before);
    if (value === null) Reflect.deleteProperty(merged, field);
    else merged[field] = isBranch ? withChange(before, value) : value;
  }
  return merged;
}
