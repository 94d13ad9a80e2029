import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { parse } from "yaml";
import { expect, test } from "vitest";
import { schedulerConfigFile } from "../../../../dev/control-plane/scheduler-configuration.ts";
import { CLUSTER_IP, prepare, schedulerConfigForKind } from "../../../kind/prepare.ts";

interface Configuration {
  readonly extenders: Record<string, unknown>[];
}
interface KindCluster {
  readonly networking: { serviceSubnet: string };
  readonly nodes: {
    role: string;
    extraMounts?: { hostPath: string; containerPath: string }[];
    kubeadmConfigPatches?: string[];
  }[];
}
interface KubeadmPatch {
  readonly apiVersion: string;
  readonly kind: string;
  readonly scheduler: {
    extraArgs: Record<string, string> | { name: string; value: string }[];
    extraVolumes: { hostPath: string; mountPath: string }[];
  };
}

const kindFolder = join(import.meta.dirname, "../../../kind");
const cluster = parse(await readFile(join(kindFolder, "kind-config.yaml"), "utf8")) as KindCluster;
const shipped = parse(await readFile(schedulerConfigFile, "utf8")) as Configuration;
const mounted = parse(await schedulerConfigForKind()) as Configuration;
const controlPlane = cluster.nodes.find(({ role }) => role === "control-plane");
const patches = (controlPlane?.kubeadmConfigPatches ?? []).map((text) => parse(text) as KubeadmPatch);

test("the scheduler in kind is configured as in scheduler-config/, except for Paceline's address", () => {
  const [extender, ...others] = shipped.extenders;
  expect(others).toEqual([]);
  const urlPrefix = `https://${CLUSTER_IP}:443/scheduler`;
  expect(mounted).toEqual({ ...shipped, extenders: [{ ...extender, urlPrefix }] });
  expect(cluster.networking.serviceSubnet).toBe("10.96.0.0/16"); // contains CLUSTER_IP
});

test("every patch, in both forms of kubeadm's configuration, points the scheduler to the mounted file", () => {
  expect(patches.map(({ apiVersion }) => basename(apiVersion)).sort()).toEqual(["v1beta3", "v1beta4"]);
  for (const { kind, scheduler } of patches) {
    expect(kind).toBe("ClusterConfiguration");
    const config = configFlag(scheduler.extraArgs);
    const [volume] = scheduler.extraVolumes;
    expect(basename(config)).toBe("kube-scheduler-config.yaml");
    expect(volume).toMatchObject({
      mountPath: dirname(config),
      hostPath: controlPlane?.extraMounts?.[0]?.containerPath,
    });
  }
});

test("the prepared folder has every file that the configuration names, at its path", async () => {
  const folder = await mkdtemp(join(tmpdir(), "paceline-kind-"));
  try {
    await prepare(folder, Date.UTC(2026, 10, 24));
    const files = await readdir(folder);
    const { caFile, certFile, keyFile } = mounted.extenders[0]?.["tlsConfig"] as Record<string, string>;
    for (const path of [caFile, certFile, keyFile]) {
      expect(dirname(path ?? "")).toBe(controlPlane?.extraMounts?.[0]?.containerPath);
      expect(files).toContain(basename(path ?? ""));
    }
    expect(files).toContain("kube-scheduler-config.yaml");
  } finally {
    await rm(folder, { recursive: true });
  }
});

function configFlag(extraArgs: KubeadmPatch["scheduler"]["extraArgs"]): string {
  const value = Array.isArray(extraArgs) ? extraArgs.find(({ name }) => name === "config")?.value : extraArgs["config"];
  return value ?? "";
}
