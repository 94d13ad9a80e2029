/** Finds the node of a series from one label: the node's name or its address, with or without a port. */
import type { NodeName } from "../core/ids.ts";
import type { TelemetryTarget } from "./source.ts";

/** A port behind a name, an IPv4 address, or an IPv6 address in brackets. */
const WITH_PORT = /^(?:\[([^\]]+)\]|([^:]+))(?::\d+)?$/;

/** Finds nodes by label value. A node's name takes precedence over another node's address. */
export function nodeFinder(targets: readonly TelemetryTarget[]): (label: string) => NodeName | undefined {
  const byAddress = new Map(targets.flatMap(({ name, address }) => (address === undefined ? [] : [[address, name]])));
  const names = new Set<string>(targets.map(({ name }) => name));
  const find = (word: string) => (names.has(word) ? (word as NodeName) : byAddress.get(word));
  return (label) => {
    const [, bracketed, plain] = WITH_PORT.exec(label) ?? [];
    const host = bracketed ?? plain;
    return find(label) ?? (host === undefined ? undefined : find(host));
  };
}
