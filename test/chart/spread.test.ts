/** Where kube-scheduler puts the chart's replicas, over several upgrades. */
import { expect, it } from "vitest";
import { findHelm } from "../../dev/chart/helm.ts";
import { startControlPlane } from "../../dev/control-plane/control-plane.ts";
import { startModelledNodes } from "../../dev/modelled-node/modelled-node.ts";
import { recordOf } from "../../src/kube/parse/kube-json.ts";
import { applyAll, chartObjects, kubectl, NAMESPACE } from "../support/installed.ts";

const UPGRADES = 4;
const IMAGE = "registry.example/paceline:1";
const ZONE = "topology.kubernetes.io/zone";

it.each([
  ["nodes, where there are no zones", { "node-1": undefined, "node-2": undefined }],
  ["nodes and zones", { "node-1": "a", "node-2": "a", "node-3": "b", "node-4": "b" }],
] as const)(
  "after each upgrade, the two replicas are on different %s",
  async (_, zones: Record<string, string | undefined>) => {
    await using cp = await startControlPlane();
    await cp.client.create("/api/v1/namespaces", { metadata: { name: NAMESPACE } });
    const nodes = await startModelledNodes(
      Object.entries(zones).map(([name, zone]) => ({
        ...{ client: cp.client, name, images: [{ name: IMAGE, mib: 1, layers: 1 }] },
        ...(zone !== undefined && { labels: { [ZONE]: zone } }),
      })),
    );
    await nodes.ready;
    const helm = await findHelm();
    for (let version = 0; version <= UPGRADES; version++) {
      const set = `image.repository=registry.example/paceline,podAnnotations.version=v${version}`;
      const all = await chartObjects(helm, ["--set", set, "--set-string", "image.tag=1"]);
      const deployment = all.filter(({ kind }) => kind === "Deployment");
      await applyAll(cp, deployment);
      await kubectl(cp, "rollout", "status", "deployment/paceline", "-n", NAMESPACE, "--timeout=5m");
      const { items } = await cp.client.list(`/api/v1/namespaces/${NAMESPACE}/pods`);
      const current = items.filter(({ metadata }) => recordOf(metadata?.annotations)["version"] === `v${version}`);
      const placed = current.map(({ spec }) => String(recordOf(spec)["nodeName"]));
      expect(new Set(placed).size, `upgrade ${version}: ${placed.join(", ")}`).toBe(2);
      const apart = new Set(placed.map((name) => zones[name] ?? name));
      expect(apart.size, `upgrade ${version}: ${placed.join(", ")}`).toBe(2);
    }
    await nodes.stop();
  },
);
