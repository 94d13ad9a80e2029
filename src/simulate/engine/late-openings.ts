/** What closes and opens nodes in a scenario, beside their joining: cordons, reboots, and drivers of devices. */
import { SECOND_MS } from "../model/constants.ts";
import type { Agenda } from "./agenda.ts";
import { secondsToMs, type SimNode } from "./node.ts";

type Openings = Pick<SimNode, "spec" | "readyMs">;

/** What happens to nodes, in the cluster. */
interface NodeChanges {
  readonly agenda: Agenda;
  cordon(node: SimNode, cordoned: boolean): void;
  goDown(node: SimNode, losesImages: boolean): void;
  comeUp(node: SimNode): void;
  reportDevices(node: SimNode): void;
}

/** Is the node cordoned when it joins, or when the scenario begins? */
export function joinsCordoned({ spec: { cordon } }: SimNode, nowMs: number): boolean {
  if (!cordon || secondsToMs(cordon.untilSeconds) <= nowMs) return false;
  return cordon.fromSeconds === undefined || secondsToMs(cordon.fromSeconds) <= nowMs;
}

/** Puts on the agenda what is to happen to a node that joins now. */
export function expectOpenings(cluster: NodeChanges, node: SimNode): void {
  const { agenda } = cluster;
  const { cordon, reboot, devices } = node.spec;
  const later = (seconds: number, run: () => void) => {
    if (secondsToMs(seconds) > agenda.nowMs) agenda.at(secondsToMs(seconds), run);
  };
  if (cordon?.fromSeconds !== undefined) later(cordon.fromSeconds, () => cluster.cordon(node, true));
  if (cordon) later(cordon.untilSeconds, () => cluster.cordon(node, false));
  if (reboot && secondsToMs(reboot.atSeconds) > agenda.nowMs) {
    later(reboot.atSeconds, () => cluster.goDown(node, reboot.losesImages));
    later(reboot.atSeconds + reboot.downSeconds, () => cluster.comeUp(node));
  }
  if (devices) agenda.at(node.readyMs + devices.afterSeconds * SECOND_MS, () => cluster.reportDevices(node));
}

/** Does the node take every pod from its first Ready on? */
export const opensOnce = ({ spec: { cordon, reboot, devices } }: Openings): boolean => !cordon && !reboot && !devices;

/**
 * The first moment from `atMs` on at which the node takes a pod that asks for `device`, ms of the simulation; Infinity:
 * never.
 */
export function takesFromMs({ spec, readyMs }: Openings, device: string | undefined, atMs: number): number {
  const { cordon, reboot, devices } = spec;
  if (device !== undefined && devices?.resource !== device) return Infinity;
  let openMs = Math.max(atMs, readyMs + (device === undefined ? 0 : (devices?.afterSeconds ?? 0) * SECOND_MS));
  const closed = [
    cordon && [secondsToMs(cordon.fromSeconds ?? -Infinity), secondsToMs(cordon.untilSeconds)],
    reboot && [secondsToMs(reboot.atSeconds), secondsToMs(reboot.atSeconds + reboot.downSeconds)],
  ].filter((span) => span !== undefined);
  for (let round = 0; round < closed.length; round += 1) {
    for (const [fromMs = 0, untilMs = 0] of closed) if (openMs >= fromMs && openMs < untilMs) openMs = untilMs;
  }
  return openMs;
}
