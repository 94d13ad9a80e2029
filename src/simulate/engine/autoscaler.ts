/**
 * A cluster autoscaler. At each scan it packs the Unschedulable pods into the free space of existing and ordered nodes,
 * and adds nodes for the rest. A fence is a startup taint, so a fenced node counts as room, unless the scenario says
 * that the autoscaler does not know the fence. Gated pods do not count.
 */
import type { Scenario } from "../scenario/schema.ts";
import type { Cluster } from "./cluster.ts";
import { MIB } from "../../core/measures.ts";
import type { SimPod } from "./pod.ts";
import type { Room } from "./rooms.ts";
import { GIB, SECOND_MS } from "../model/constants.ts";

export class Autoscaler {
  /** Nodes it has added. */
  added = 0;
  readonly #cluster: Cluster;
  readonly #settings: NonNullable<Scenario["autoscaler"]>;
  /** For the nodes that it has ordered and that have not registered yet. */
  #ordered = 0;

  constructor(cluster: Cluster, settings: NonNullable<Scenario["autoscaler"]>) {
    this.#cluster = cluster;
    this.#settings = settings;
    cluster.agenda.at(0, () => this.#scan());
  }

  #scan(): void {
    const cluster = this.#cluster;
    let missing = this.#missingNodes();
    while (missing > 0 && this.added < this.#settings.maxNodes) {
      this.#order();
      missing -= 1;
    }
    if (cluster.unfinished) cluster.agenda.after(cluster.times.scanMs, () => this.#scan());
  }

  #order(): void {
    const { agenda, scenario, times } = this.#cluster;
    const spec = scenario.nodes[this.#settings.nodes];
    if (!spec) return;
    this.added += 1;
    this.#ordered += 1;
    const readyMs = agenda.nowMs + this.#settings.joinSeconds * SECOND_MS;
    agenda.at(readyMs - times.registerMs, () => {
      this.#ordered -= 1;
      this.#cluster.join(spec, readyMs);
    });
  }

  /** First fit, like the real autoscaler's simulation of the scheduler. */
  #missingNodes(): number {
    const { nodes, scheduler } = this.#cluster;
    const open = nodes.filter((node) => !node.cordoned && (this.#settings.knowsFence || node.fence === undefined));
    const rooms: OfferedRoom[] = open.map((node) => ({
      ...this.#cluster.rooms.left(node),
      resource: node.spec.devices?.resource,
    }));
    for (let at = 0; at < this.#ordered; at += 1) rooms.push(this.#emptyNode());
    let missing = 0;
    for (const pod of scheduler.unschedulable) {
      if (pod.pinned || rooms.some((room) => take(room, pod))) continue;
      const room = this.#emptyNode();
      if (!take(room, pod)) continue; // does not fit even an empty node of this kind
      rooms.push(room);
      missing += 1;
    }
    return missing;
  }

  #emptyNode(): OfferedRoom {
    const spec = this.#cluster.scenario.nodes[this.#settings.nodes];
    return {
      pods: spec?.pods ?? 0,
      cpuMillis: (spec?.cpu ?? 0) * 1_000,
      memoryBytes: (spec?.memoryGib ?? 0) * GIB,
      devices: spec?.devices?.count ?? 0,
      resource: spec?.devices?.resource,
    };
  }
}

/** Devices that a node is still to report count: Cluster Autoscaler waits for those of its own nodes. */
interface OfferedRoom extends Room {
  readonly resource: string | undefined;
}

function take(room: OfferedRoom, pod: SimPod): boolean {
  const { cpuMillis, memoryMib, device } = pod.workload.spec;
  if (device !== undefined && (device !== room.resource || room.devices < 1)) return false;
  if (room.pods < 1 || room.cpuMillis < cpuMillis || room.memoryBytes < memoryMib * MIB) return false;
  room.pods -= 1;
  room.cpuMillis -= cpuMillis;
  room.memoryBytes -= memoryMib * MIB;
  if (device !== undefined) room.devices -= 1;
  return true;
}
