/** Answers of a server without what differs between two runs: uids, times, and versions, of which the order stays. */
import { isRecord, recordOf, recordsOf } from "../../../src/kube/parse/kube-json.ts";
import type { KubeObject } from "../../../src/kube/parse/kube-json.ts";
import type { Answer } from "./side.ts";

export interface Transcript {
  readonly answers: readonly (readonly Answer[])[];
  readonly watches: readonly (readonly string[])[];
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/;

/** Times that clients wrote themselves. */
const CLIENTS_TIME = /^2026-01-01T/;

/** Both kinds of answers, comparable: one entry for each command, then one for each watch. */
export function comparable({ answers, watches }: Transcript): unknown[] {
  const events = watches.map((lines) => lines.map((line) => JSON.parse(line) as { type: string; object: KubeObject }));
  const bodies = answers.flat().flatMap(({ body }) => [body, ...recordsOf(body["items"])]);
  const objects = [...bodies, ...events.flat().map(({ object }) => object)] as readonly KubeObject[];
  const uids = [...new Set(objects.map(({ metadata }) => metadata?.uid).filter((uid) => uid !== undefined))];
  const versions = objects
    .filter(({ metadata }) => metadata?.uid !== undefined)
    .map(({ metadata }) => Number(metadata?.resourceVersion));
  const order = [...new Set(versions)].sort((a, b) => a - b);
  const names = {
    uidOf: (uid: string) => `uid-${uids.indexOf(uid)}`,
    versionOf: (at: number) => order.filter((one) => one <= at).length,
  };
  return [
    ...answers.map((all) => all.map(({ status, body }) => ({ status, body: cleaned(body, names) }))),
    ...events.map((all) => all.map(({ type, object }) => ({ type, object: cleaned(object, names) }))),
  ];
}

/** Fields that Paceline does not read, and that the fake server does not have. */
const UNREAD = /^(managedFields|remainingItemCount|daemonEndpoints|nodeInfo|deprecated.*)$/;

interface Names {
  readonly uidOf: (uid: string) => string;
  readonly versionOf: (version: number) => number;
}

function cleaned(body: KubeObject, names: Names): unknown {
  if (body.kind === "Status") return cleanedStatus(body);
  return withoutTimes(body, names);
}

/** Of a refusal, its status, reason and the wrong fields count; messages do not. */
function cleanedStatus(status: KubeObject): unknown {
  const causes = recordsOf(recordOf(status["details"])["causes"]).map(({ field }) => field);
  return {
    status: status["status"],
    code: status["code"],
    reason: status["reason"],
    fields: [...new Set(causes)].sort(),
  };
}

function withoutTimes(value: unknown, names: Names): unknown {
  if (typeof value === "string") return TIME.test(value) && !CLIENTS_TIME.test(value) ? "<time>" : value;
  if (Array.isArray(value)) return value.map((one) => withoutTimes(one, names));
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([field, one]) => one !== null && !UNREAD.test(field))
      .map(([field, one]) => [field, field === "metadata" ? metadata(one, names) : withoutTimes(one, names)]),
  );
}

function metadata(value: unknown, names: Names): unknown {
  const { uid, resourceVersion, continue: token, ...rest } = recordOf(value);
  return {
    ...recordOf(withoutTimes(rest, names)),
    ...(typeof uid === "string" ? { uid: names.uidOf(uid) } : {}),
    ...(typeof resourceVersion === "string" ? { resourceVersion: names.versionOf(Number(resourceVersion)) } : {}),
    ...(typeof token === "string" && token !== "" ? { continue: "<token>" } : {}),
  };
}
