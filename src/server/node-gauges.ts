/** Gauges of paced nodes and held pods. Each scrape sets them again, so that settled and deleted nodes disappear. */
import { Gauge, type Registry } from "prom-client";
import { MIB } from "../core/measures.ts";
import type { ClusterStatus, NodeStatus } from "../core/verdict.ts";

/** Each gauge: its name, its help and its value for a node. An unknown value is left out. */
const perNode: readonly (readonly [name: string, help: string, value: (node: NodeStatus) => number | undefined])[] = [
  [
    "paceline_node_in_startup_pods",
    "Pods that are bound to the node and have not started yet.",
    (node) => node.inStartup,
  ],
  ["paceline_node_reserved_slots", "Slots reserved for pods whose binding is not seen yet.", (node) => node.reserved],
  ["paceline_node_offered_slots", "Slots offered to the scheduler and not resolved yet.", (node) => node.offered],
  [
    "paceline_node_waiting_pods",
    "Bound pods that have not started and need nothing of the node now; they use no slot.",
    (node) => node.waiting,
  ],
  [
    "paceline_node_stuck_pods",
    "Pods that cannot start whatever the node does; they use no slot.",
    (node) => node.stuck,
  ],
  ["paceline_node_limit_slots", "Slots that the node has now.", (node) => node.limit],
  ["paceline_node_fenced", "1 while the fence is up.", (node) => (node.fenced ? 1 : 0)],
  [
    "paceline_node_in_flight_bytes",
    "Image bytes that started pods still bring to the node.",
    (node) => node.bytesInFlight,
  ],
  ["paceline_node_drain_seconds", "Time that the disk needs for what it owes.", (node) => node.drainSeconds],
  [
    "paceline_node_disk_await_seconds",
    "Mean time of an I/O on the node's disk.",
    ({ awaitMs }) => awaitMs && awaitMs / 1_000,
  ],
  ["paceline_node_disk_iops", "Reads and writes that the node's disk completes a second.", (node) => node.iops],
  [
    "paceline_node_disk_provisioned_iops",
    "Reads and writes a second that the disk is given, as the policy's diskIOPS says.",
    (node) => node.diskIOPS,
  ],
  [
    "paceline_node_disk_utilisation_ratio",
    "Share of time in which the node's disk was busy.",
    (node) => node.utilisation,
  ],
  [
    "paceline_node_disk_read_bytes_per_second",
    "Bytes that the node's disk reads a second.",
    (node) => node.readBytesPerSecond,
  ],
  [
    "paceline_node_disk_written_bytes_per_second",
    "Bytes that the node's disk writes a second.",
    (node) => node.writeBytesPerSecond,
  ],
  [
    "paceline_node_disk_provisioned_bytes_per_second",
    "Bytes a second that the disk is given, as the policy's diskMiBPerSecond says.",
    ({ diskMiBPerSecond }) => diskMiBPerSecond && diskMiBPerSecond * MIB,
  ],
  [
    "paceline_node_dirty_bytes",
    "Page cache that still has to be written, or is being written.",
    (node) => node.dirtyBytes,
  ],
  [
    "paceline_node_io_pressure_ratio",
    "Share of time in which some task waited for I/O (PSI).",
    (node) => node.ioPressure,
  ],
  [
    "paceline_node_cpu_pressure_ratio",
    "Share of time in which some task waited for a core (PSI).",
    (node) => node.cpuPressure,
  ],
  ["paceline_node_load1", "Load average of one minute.", (node) => node.load1],
  ["paceline_node_cores", "Cores of the node.", (node) => node.cores],
];

/** Makes the gauges. */
export function nodeGauges(registers: Registry[]) {
  const gauges = perNode.map(([name, help, value]) => ({
    gauge: new Gauge({ name, help: `${help} Paced nodes only.`, labelNames: ["node"] as const, registers }),
    value,
  }));
  const held = new Gauge({
    name: "paceline_held_pods",
    help: "Pods held now, gated or kept out by a fence (500 of these at most), by reason.",
    labelNames: ["reason"] as const,
    registers,
  });
  const longest = new Gauge({
    name: "paceline_longest_hold_seconds",
    help: "How long the pod that is held for longest has been held; 0 where none is.",
    registers,
  });
  const states = new Gauge({
    name: "paceline_nodes",
    help: "Nodes by state: young and hot are paced, saturated for images, cordoned once they open, leftOut never.",
    labelNames: ["state"] as const,
    registers,
  });
  const telemetryAge = new Gauge({
    name: "paceline_telemetry_age_seconds",
    help: "Age of a node's latest figures, paced or not; absent while a node has given none.",
    labelNames: ["node"] as const,
    registers,
  });
  const telemetryNodes = new Gauge({
    name: "paceline_telemetry_nodes",
    help: "Paced nodes by what is known of their disk: fresh, stale (unknown), absent or notAsked.",
    labelNames: ["sample"] as const,
    registers,
  });

  return {
    /** Sets all gauges from the status. `agesMs` has the age of each node's latest figures. */
    set(status: ClusterStatus, agesMs: ReadonlyMap<NodeStatus["name"], number>): void {
      for (const { gauge, value } of gauges) setPerNode(gauge, status.nodes, value);
      telemetryAge.reset();
      for (const [node, ageMs] of agesMs) telemetryAge.set({ node }, ageMs / 1_000);
      held.reset();
      for (const { reason } of status.held) held.inc({ reason });
      longest.set(status.held.reduce((most, { heldSeconds }) => Math.max(most, heldSeconds), 0));
      states.reset();
      for (const { state } of status.nodes) states.inc({ state });
      states.inc({ state: "settled" }, status.settledNodes);
      states.inc({ state: "leftOut" }, status.leftOutNodes);
      telemetryNodes.reset();
      for (const sample of ["fresh", "stale", "absent", "notAsked"] as const) telemetryNodes.set({ sample }, 0);
      for (const { sample } of status.nodes) telemetryNodes.inc({ sample });
    },
  };
}

function setPerNode(
  gauge: Gauge<"node">,
  nodes: readonly NodeStatus[],
  value: (node: NodeStatus) => number | undefined,
) {
  gauge.reset();
  for (const node of nodes) {
    const figure = value(node);
    if (figure !== undefined) gauge.set({ node: node.name }, figure);
  }
}
