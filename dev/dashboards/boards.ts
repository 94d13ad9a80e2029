/** The dashboards: what each panel asks Prometheus. Grafana's JSON and the pictures of the docs are made of it. */

/** Grafana's units. */
export type Unit = "short" | "s" | "percentunit" | "bytes" | "Bps" | "iops" | "ops" | "reqps" | "bool";

export interface Panel {
  readonly title: string;
  /** What it shows, and what to make of it. */
  readonly about: string;
  readonly unit: Unit;
  /** Default `timeseries`. */
  readonly kind?: "timeseries" | "gauge";
  /** Areas on top of one another, where the sum means something. */
  readonly stacked?: boolean;
  /** Legend (`{{label}}` for a label's value) by query; `$__rate_interval` and `$node` are Grafana's. */
  readonly queries: Readonly<Record<string, string>>;
  /** Why a healthy run may give no data. */
  readonly emptyBecause?: string;
}

export interface Board {
  readonly name: "overview" | "node" | "service";
  readonly title: string;
  readonly about: string;
  /** It has a choice of nodes, `$node`. */
  readonly ofNodes?: boolean;
  readonly panels: readonly Panel[];
}

const rate = (metric: string) => `rate(${metric}[$__rate_interval])`;
const increase = (metric: string) => `increase(${metric}[$__rate_interval])`;
/** @param by further labels than `le`. */
const quantile = (share: number, metric: string, by = "", matchers = "") =>
  `histogram_quantile(${share}, sum by (${by === "" ? "" : `${by}, `}le) (${rate(`${metric}_bucket${matchers}`)}))`;
const YOUNG = '{state="young"}';

const overview: Board = {
  name: "overview",
  title: "Paceline / Overview",
  about: "What waits and why, and whether pacing helps.",
  panels: [
    {
      title: "Held pods, by reason",
      about: "Pods that wait now. docs/reasons.md says what each reason means.",
      unit: "short",
      stacked: true,
      queries: { "{{reason}}": "max by (reason) (paceline_held_pods)" },
    },
    {
      title: "Longest hold, and the cap",
      about: "How long the pod that is held for longest has been held. At the cap it is let go, slots or not.",
      unit: "s",
      queries: {
        "longest hold": "max(paceline_longest_hold_seconds)",
        "cap (maxHoldSeconds)": "max(paceline_hold_cap_seconds)",
      },
    },
    {
      title: "Nodes, by state",
      about: "Young and hot nodes are paced, saturated ones for pods that bring images.",
      unit: "short",
      queries: { "{{state}}": "max by (state) (paceline_nodes)" },
    },
    {
      title: "Time to Ready of young nodes' pods",
      about: "Since the pod was there and its node open. Compare it before and after mode enforce.",
      unit: "s",
      queries: {
        median: quantile(0.5, "paceline_ready_duration_seconds", "", YOUNG),
        "nine of ten": quantile(0.9, "paceline_ready_duration_seconds", "", YOUNG),
      },
    },
    {
      title: "Pods that become Ready",
      about: "For the first time, by what their node is then.",
      unit: "ops",
      queries: { "{{state}}": `max by (state) (${rate("paceline_ready_duration_seconds_count")})` },
    },
    {
      title: "Failed starts, by reason",
      about: "With pacing this should stay at zero. docs/metrics.md has the reasons, docs/operations.md what to tune.",
      unit: "short",
      stacked: true,
      queries: { "{{reason}}": `max by (reason) (${increase("paceline_failed_starts_total")})` },
    },
    {
      title: "Releases, by reason",
      about: "NearHoldCap and HoldCapReached mean that the disks are too slow for the herd in the time that it has.",
      unit: "ops",
      stacked: true,
      queries: { "{{reason}}": `sum by (reason) (${rate("paceline_releases_total")})` },
    },
    {
      title: "How long released pods had been held",
      about: "Of the pods that were released just then.",
      unit: "s",
      queries: {
        median: quantile(0.5, "paceline_hold_duration_seconds"),
        "99 of 100": quantile(0.99, "paceline_hold_duration_seconds"),
      },
    },
    {
      title: "Let go over a node's limit",
      about: "Pods near their cap that went though no slot was free for them.",
      unit: "short",
      queries: { pods: `sum(${increase("paceline_releases_over_limit_total")})` },
    },
    {
      title: "Fences",
      about: "Nodes whose fence is up, and those that joined with one.",
      unit: "short",
      queries: {
        up: "sum(max by (node) (paceline_node_fenced))",
        raised: `sum(${increase("paceline_fences_raised_total")})`,
      },
    },
    {
      title: "Would be held, in mode observe",
      about: "What mode enforce would hold.",
      unit: "ops",
      queries: { "{{lever}} {{reason}}": `sum by (lever, reason) (${rate("paceline_observed_holds_total")})` },
      emptyBecause: "only mode observe counts them",
    },
  ],
};

const perNode = (metric: string) => `max by (node) (paceline_node_${metric}{node=~"$node"})`;

const node: Board = {
  name: "node",
  title: "Paceline / Node",
  about: "The disk, the cores and the slots of paced nodes. A node is shown while it is paced.",
  ofNodes: true,
  panels: [
    {
      title: "Disk await",
      about: "Mean time of a read or write, its queueing included. It rises where the disk cannot keep up.",
      unit: "s",
      queries: { "{{node}}": perNode("disk_await_seconds") },
    },
    {
      title: "IOPS used of provisioned",
      about: "At 100 % the volume's IOPS are what is short. Needs diskIOPS in the node's class.",
      unit: "percentunit",
      kind: "gauge",
      queries: { "{{node}}": `${perNode("disk_iops")} / ${perNode("disk_provisioned_iops")}` },
    },
    {
      title: "Load average",
      about: "One minute's, and the cores. It rises with everything that waits for a core or for the disk.",
      unit: "short",
      queries: { "{{node}}": perNode("load1"), "{{node}} cores": perNode("cores") },
    },
    {
      title: "IOPS",
      about: "Reads and writes a second, and what the policy says that the disk is given.",
      unit: "iops",
      queries: { "{{node}}": perNode("disk_iops"), "{{node}} provisioned": perNode("disk_provisioned_iops") },
    },
    {
      title: "Throughput",
      about: "Bytes that the disk reads and writes, and what the policy says that it is given.",
      unit: "Bps",
      queries: {
        "{{node}} written": perNode("disk_written_bytes_per_second"),
        "{{node}} read": perNode("disk_read_bytes_per_second"),
        "{{node}} provisioned": perNode("disk_provisioned_bytes_per_second"),
      },
    },
    {
      title: "Disk busy",
      about: "Share of time in which the disk had something to do.",
      unit: "percentunit",
      queries: { "{{node}}": perNode("disk_utilisation_ratio") },
    },
    {
      title: "Dirty bytes",
      about: "Page cache that the disk still has to write: images that were unpacked faster than it writes.",
      unit: "bytes",
      queries: { "{{node}}": perNode("dirty_bytes") },
    },
    {
      title: "Pressure (PSI)",
      about: "Share of time in which some task waited for I/O or for a core.",
      unit: "percentunit",
      queries: { "{{node}} I/O": perNode("io_pressure_ratio"), "{{node}} cores": perNode("cpu_pressure_ratio") },
    },
    {
      title: "What the disk owes",
      about: "Time that it needs for images on their way and dirty pages; the policy's drainSeconds is the most.",
      unit: "s",
      queries: { "{{node}}": perNode("drain_seconds") },
    },
    {
      title: "Slots: used and the limit",
      about: "Pods in startup and slots that are kept for others, against what the node may start at a time.",
      unit: "short",
      queries: {
        "{{node}} used": `${perNode("in_startup_pods")} + ${perNode("reserved_slots")} + ${perNode("offered_slots")}`,
        "{{node}} limit": perNode("limit_slots"),
      },
    },
    {
      title: "Limit moves",
      about:
        "Of all nodes. Up: more starts at a time than before did well. Down: the disk was overloaded, or a start failed.",
      unit: "short",
      queries: { "{{direction}}": `max by (direction) (${increase("paceline_limit_moves_total")})` },
    },
    {
      title: "Pods that use no slot",
      about: "Waiting: they need nothing of the node now. Stuck: they cannot start whatever the node does.",
      unit: "short",
      queries: { "{{node}} waiting": perNode("waiting_pods"), "{{node}} stuck": perNode("stuck_pods") },
    },
  ],
};

const OF_OURS = "and on (instance) paceline_leader";

const service: Board = {
  name: "service",
  title: "Paceline / Service",
  about: "Whether Paceline itself is well.",
  panels: [
    {
      title: "Leader",
      about: "1 for the replica that leads. None: nothing is held.",
      unit: "short",
      queries: { "{{pod}}": "max by (pod) (paceline_leader)", alive: "max(paceline_leader_alive)" },
    },
    {
      title: "Latency of answers, 99 of 100",
      about: "Webhooks give up after 2 s, the extender after 1 s; the budgets are a few milliseconds.",
      unit: "s",
      queries: { "{{handler}}": quantile(0.99, "paceline_handler_duration_seconds", "handler") },
    },
    {
      title: "Answers",
      about: "By handler, all replicas.",
      unit: "reqps",
      queries: { "{{handler}}": `sum by (handler) (${rate("paceline_handler_duration_seconds_count")})` },
    },
    {
      title: "Watch age",
      about: "Time since the API server last told of these objects.",
      unit: "s",
      queries: { "{{pod}} {{resource}}": "max by (pod, resource) (paceline_watch_age_seconds)" },
    },
    {
      title: "API writes",
      about: "Requests that change something, by method and status code; code 0 had no answer.",
      unit: "reqps",
      queries: {
        "{{method}} {{code}}": `sum by (method, code) (${rate('paceline_api_requests_total{method!="GET"}')})`,
      },
    },
    {
      title: "API reads",
      about: "Lists and single objects; watches are not among them.",
      unit: "reqps",
      queries: { "{{code}}": `sum by (code) (${rate('paceline_api_requests_total{method="GET"}')})` },
    },
    {
      title: "Failures",
      about: "Handlers that answered as if Paceline were not there, and writes that the API server refused.",
      unit: "short",
      queries: {
        "handler {{handler}}": `sum by (handler) (${increase("paceline_handler_failures_total")})`,
        "write {{kind}}": `sum by (kind) (${increase("paceline_write_failures_total")})`,
        "Events dropped": `sum(${increase("paceline_events_dropped_total")})`,
      },
    },
    {
      title: "Telemetry that failed, by kind",
      about: "Readings of a node's figures that came to nothing; docs/telemetry.md has the cure of each kind.",
      unit: "ops",
      queries: { "{{kind}}": `sum by (kind) (${rate("paceline_telemetry_failures_total")})` },
      emptyBecause: "a kind is counted once it has failed",
    },
    {
      title: "Telemetry: paced nodes, and a round",
      about: "What is known of paced nodes' disks, and how long a round of questions takes (99 of 100, in s).",
      unit: "short",
      queries: {
        "{{sample}}": "max by (sample) (paceline_telemetry_nodes)",
        "round, s": quantile(0.99, "paceline_telemetry_round_duration_seconds"),
      },
    },
    {
      title: "Time of a plan, 99 of 100",
      about: "How long the leader takes to decide what to do next.",
      unit: "s",
      queries: { plan: quantile(0.99, "paceline_plan_duration_seconds") },
    },
    {
      title: "Policy, caches and webhooks",
      about: "Valid and synced are 1. Silence: time since the first new pod about which no replica was asked.",
      unit: "short",
      queries: {
        "policy valid": "min(paceline_policy_valid)",
        synced: "min(paceline_synced)",
        "webhooks silent, s": "max(paceline_webhook_silence_seconds)",
      },
    },
    {
      title: "Time left of the certificate",
      about: "Of each replica's own.",
      unit: "s",
      queries: { "{{pod}}": "max by (pod) (paceline_certificate_end_timestamp_seconds > 0) - time()" },
    },
    {
      title: "Cores used",
      about: "By each replica.",
      unit: "short",
      queries: { "{{pod}}": `${rate("process_cpu_seconds_total")} ${OF_OURS}` },
    },
    {
      title: "Memory",
      about: "Resident, of each replica.",
      unit: "bytes",
      queries: { "{{pod}}": `process_resident_memory_bytes ${OF_OURS}` },
    },
  ],
};

export const boards: readonly Board[] = [overview, node, service];
