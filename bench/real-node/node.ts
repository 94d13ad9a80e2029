/**
 * The real node: registry, node_exporter, containerd and kubelet, all with their files in our folder or on our disk.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import { stringify } from "yaml";
import type { Child } from "../../dev/control-plane/child.ts";
import type { ControlPlane } from "../../dev/control-plane/control-plane.ts";
import { freePort } from "../../dev/control-plane/ports.ts";
import { cgroupVersion, makeCgroups, throttled } from "./cgroups.ts";
import type { Disk } from "./disk.ts";
import { BRIDGE, CGROUP, DISK, NODE_IP, NODE_NAME, RUN, run, until } from "./host.ts";
import type { BuiltImages } from "./images.ts";
import type { Programs } from "./programs.ts";
import { CNI_BIN } from "./requirements.ts";
import { PAUSE_IMAGE, REGISTRY, type Setting } from "./settings.ts";

const SOCKET = join(RUN, "containerd.sock");
const START_MS = 30_000;

export interface RealNode {
  readonly exporterPort: number;
  readonly containerdLog: () => string;
  readonly kubeletLog: () => string;
  /** Starts the kubelet: the node joins. */
  join(): Promise<void>;
}

export interface NodeOptions {
  readonly cp: ControlPlane;
  readonly disk: Disk;
  readonly images: BuiltImages;
  readonly programs: Programs;
  readonly setting: Setting;
}

/** Starts everything but the kubelet, on a disk that is not throttled yet. */
export async function prepareNode({ cp, images, programs, setting }: NodeOptions): Promise<RealNode> {
  await makeBridge();
  makeCgroups();
  await startRegistry(cp, images);
  const exporterPort = await startExporter(cp);
  const containerd = await startContainerd(cp);
  await run(
    "ctr", "--address", SOCKET, "--namespace", "k8s.io",
    "images", "pull", "--hosts-dir", join(RUN, "certs.d"), PAUSE_IMAGE,
  ); // prettier-ignore
  let kubelet: Child | undefined;
  return {
    exporterPort,
    containerdLog: () => readFileSync(containerd.logPath, "utf8"),
    kubeletLog: () => (kubelet ? readFileSync(kubelet.logPath, "utf8") : ""),
    join: async () => {
      kubelet = await startKubelet(cp, programs, setting);
    },
  };
}

async function makeBridge(): Promise<void> {
  await run("ip", "link", "add", BRIDGE, "type", "bridge");
  await run("ip", "address", "add", `${NODE_IP}/16`, "dev", BRIDGE);
  await run("ip", "link", "set", BRIDGE, "up");
}

function write(name: string, content: string): string {
  const path = join(RUN, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

async function startRegistry(cp: ControlPlane, images: BuiltImages): Promise<void> {
  const port = await freePort();
  const config = write(
    "registry.yml",
    stringify({
      version: "0.1",
      log: { level: "warn", accesslog: { disabled: true } },
      storage: { filesystem: { rootdirectory: images.folder }, maintenance: { readonly: { enabled: true } } },
      http: { addr: `127.0.0.1:${port}` },
    }),
  );
  await startAndListen(cp, "docker-registry", ["docker-registry", "serve", config], "127.0.0.1", port);
  const address = `http://127.0.0.1:${port}`;
  const hosts = `server = "${address}"\n[host."${address}"]\n  capabilities = ["pull", "resolve"]\n`;
  write(`certs.d/${REGISTRY}/hosts.toml`, hosts);
}

/** By default, Debian's exporter leaves out loop devices. */
async function startExporter(cp: ControlPlane): Promise<number> {
  const port = await freePort();
  const only = ["cpu", "diskstats", "loadavg", "meminfo", "pressure"].map((name) => `--collector.${name}`);
  const args = [
    `--web.listen-address=${NODE_IP}:${port}`,
    "--collector.disable-defaults",
    ...only,
    "--collector.diskstats.device-exclude=^$",
    `--collector.textfile.directory=${RUN}`, // unused; it names our folder, so that a later run recognises the process
  ];
  await startAndListen(cp, "node-exporter", ["prometheus-node-exporter", ...args], NODE_IP, port);
  return port;
}

async function startAndListen(
  cp: ControlPlane,
  name: string,
  [command = "", ...args]: readonly string[],
  host: string,
  port: number,
): Promise<void> {
  const child = await cp.startProgram(name, command, args);
  await untilOrEnd(child, () => listens(host, port));
}

async function untilOrEnd(child: Child, probe: () => Promise<boolean>): Promise<void> {
  await until(`${child.name} is ready`, START_MS, async () => {
    if (child.ending()) throw new Error(`${child.name} ended (${child.ending() ?? ""}):\n${child.logTail()}`);
    return probe();
  });
}

const connects = (socket: ReturnType<typeof createConnection>) =>
  new Promise<boolean>((resolve) => {
    socket.on("connect", () => resolve(true)).on("error", () => resolve(false));
  }).finally(() => socket.destroy());
const listens = (host: string, port: number) => connects(createConnection({ host, port }));

async function startContainerd(cp: ControlPlane): Promise<Child> {
  write("cni/10-bench.conflist", cniConfiguration());
  const config = write("containerd.toml", containerdConfiguration());
  const child = await startThrottled(cp, "containerd", "containerd", ["--config", config]);
  await untilOrEnd(child, () => connects(createConnection({ path: SOCKET })));
  return child;
}

function startThrottled(cp: ControlPlane, name: string, command: string, args: readonly string[]): Promise<Child> {
  return cp.startProgram(name, ...throttled(cgroupVersion() ?? 1, command, args));
}

/** No gateway and no masquerade: pods reach no other host, and iptables and ip_forward stay unchanged. */
function cniConfiguration(): string {
  const ipam = { type: "host-local", dataDir: join(RUN, "ipam"), ranges: [[{ subnet: "10.231.64.0/20" }]] };
  const bridge = { type: "bridge", bridge: BRIDGE, isGateway: false, ipMasq: false, ipam };
  return JSON.stringify({ cniVersion: "0.4.0", name: "bench", plugins: [bridge] });
}

/** As on EKS, blobs are discarded once they are unpacked. Without `restrict_oom_score_adj` sandboxes fail here. */
function containerdConfiguration(): string {
  const cri = 'plugins."io.containerd.grpc.v1.cri"';
  return `version = 2
root = "${DISK}/containerd"
state = "${RUN}/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs"]
[grpc]
  address = "${SOCKET}"
[plugins."io.containerd.internal.v1.opt"]
  path = "${RUN}/opt"
[${cri}]
  sandbox_image = "${PAUSE_IMAGE}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
[${cri}.cni]
  bin_dir = "${CNI_BIN}"
  conf_dir = "${RUN}/cni"
[${cri}.containerd]
  discard_unpacked_layers = true
[${cri}.registry]
  config_path = "${RUN}/certs.d"
`;
}

async function startKubelet(cp: ControlPlane, programs: Programs, setting: Setting): Promise<Child> {
  const config = write("kubelet.yaml", stringify(kubeletConfiguration(setting, await freePort())));
  const kubeconfig = write("kubelet.kubeconfig", cp.kubeconfigFor({ name: "admin", token: cp.token }));
  const child = await startThrottled(cp, "kubelet", programs.kubelet, [
    `--config=${config}`,
    `--kubeconfig=${kubeconfig}`,
    `--root-dir=${DISK}/kubelet`,
    `--cert-dir=${RUN}/pki`,
    `--hostname-override=${NODE_NAME}`,
    `--node-ip=${NODE_IP}`,
    "--v=2",
  ]);
  child.announceUnexpectedEnd();
  return child;
}

/** Pull QPS and burst stay at their defaults of 5 and 10. */
function kubeletConfiguration(setting: Setting, port: number): object {
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    address: "127.0.0.1",
    port,
    healthzPort: 0,
    readOnlyPort: 0,
    authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
    authorization: { mode: "AlwaysAllow" },
    containerRuntimeEndpoint: `unix://${SOCKET}`,
    runtimeRequestTimeout: `${setting.runtimeRequestTimeoutSeconds}s`,
    serializeImagePulls: false,
    failCgroupV1: false,
    cgroupDriver: "cgroupfs",
    cgroupRoot: `/${CGROUP}`,
    failSwapOn: false,
    enforceNodeAllocatable: [],
    imageGCHighThresholdPercent: 100,
    evictionHard: { "memory.available": "100Mi" },
    resolvConf: "",
    makeIPTablesUtilChains: false,
    podLogsDir: `${DISK}/logs`,
  };
}
