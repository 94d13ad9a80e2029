/**
 * A containerd of this machine with folders and a socket of its own. It has a mount namespace of its own as well: its
 * mounts end with it, however this process ends, and the watchdog ends it and removes its folders.
 */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { startChild, untilReady } from "../../dev/control-plane/child.ts";
import { startWatchdog } from "../../dev/control-plane/watchdog.ts";

const execute = promisify(execFile);
const START_MS = 60_000;

export interface OwnContainerd {
  readonly folder: string;
  readonly socket: string;
  readonly pid: number;
  /** Where hosts.toml files are looked for. */
  readonly hostsDir: string;
  /** Makes a registry's name stand for another address. */
  serves(host: string, url: string): Promise<void>;
  /** Runs `ctr` in the kubelet's namespace, and returns what it printed. */
  ctr(...args: readonly string[]): Promise<string>;
  close(): Promise<void>;
}

/** Needs root. */
export async function startContainerd(): Promise<OwnContainerd> {
  const folder = await mkdtemp(join(tmpdir(), "paceline-ctrd-"));
  const watchdog = startWatchdog(folder);
  const socket = join(folder, "containerd.sock");
  const hostsDir = join(folder, "certs.d");
  await mkdir(hostsDir);
  const config = join(folder, "containerd.toml");
  await writeFile(config, configuration(folder, socket, hostsDir));
  const own = ["--mount", "--propagation", "private", "containerd", "--config", config];
  const child = await startChild({ name: "containerd", command: "unshare", args: own, folder, watchdog });
  const ctr = async (...args: readonly string[]) =>
    (await execute("ctr", ["--address", socket, "--namespace", "k8s.io", ...args])).stdout;
  const answers = () =>
    ctr("version").then(
      () => true,
      () => false,
    );
  await untilReady(child, answers, START_MS);
  return {
    ...{ folder, socket, hostsDir, ctr },
    pid: child.pid,
    serves: async (host, url) => {
      await mkdir(join(hostsDir, host), { recursive: true });
      const hosts = `server = "${url}"\n[host."${url}"]\n  capabilities = ["pull", "resolve"]\n`;
      await writeFile(join(hostsDir, host, "hosts.toml"), hosts);
    },
    close: async () => {
      await child.kill();
      await watchdog.close();
    },
  };
}

/** With the part that serves the kubelet (CRI), since that is what must know the images. */
const configuration = (folder: string, socket: string, hostsDir: string) => `version = 2
root = "${folder}/root"
state = "${folder}/state"
disabled_plugins = ["io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs"]
[grpc]
  address = "${socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "${folder}/opt"
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "${folder}/cni-bin"
  conf_dir = "${folder}/cni"
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "${hostsDir}"
`;
