/**
 * From a cluster to the first observed hold with the chart. On the development control plane no kubelet runs the
 * image, so the command of the Deployment's container is run here, with the chart's arguments, account and rights, and
 * a proxy stands for kube-proxy. Build, push and pull of the image are not in these figures.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { Agent, request } from "undici";
import { findHelm, CHART, helmText } from "../../dev/chart/helm.ts";
import { startControlPlane } from "../../dev/control-plane/control-plane.ts";
import { startModelledNodes } from "../../dev/modelled-node/modelled-node.ts";
import { chartObjects, NAMESPACE, startReplica } from "../../test/support/installed.ts";
import { startServiceProxy } from "../../test/support/service-proxy.ts";
import { firstObservedHold } from "./observed.ts";
import { type Step, timed } from "./step.ts";

const run = promisify(execFile);
const NODES = 5;
const VALUES = ["--set", "policy.mode=observe"];

export async function helmPath(): Promise<Step[]> {
  const helm = await findHelm();
  await using proxy = await startServiceProxy();
  await using cp = await startControlPlane({ clusterProxy: proxy.socket });
  const names = Array.from({ length: NODES }, (_, index) => ({ client: cp.client, name: `node-${index + 1}` }));
  await using nodes = await startModelledNodes(names);
  await nodes.ready;
  const agent = new Agent({ connect: { rejectUnauthorized: false } });
  try {
    const install = ["install", "paceline", CHART, "--namespace", NAMESPACE, "--create-namespace", ...VALUES];
    const installed = await timed("helm install … --set policy.mode=observe", () =>
      helmText(helm, install, { KUBECONFIG: cp.kubeconfigPath }),
    );
    const objects = await chartObjects(helm, VALUES);
    let port = 0;
    const ready = await timed("until one replica is ready", async () => {
      ({ port } = await startReplica(cp, objects, "paceline-1"));
      proxy.use([port]);
    });
    const herd = ["create", "deployment", "herd", "--image=example.com/app:1", "--replicas=200"];
    const created = await timed(`kubectl ${herd.join(" ")}`, () =>
      run(cp.kubectlPath ?? "kubectl", ["--kubeconfig", cp.kubeconfigPath, ...herd]),
    );
    const metrics = `https://127.0.0.1:${port}/metrics`;
    const seen = await timed("until `paceline_observed_holds_total` counts the first hold", () =>
      firstObservedHold(async () => (await request(metrics, { dispatcher: agent })).body.text()),
    );
    return [installed, ready, created, seen];
  } finally {
    await agent.destroy();
  }
}
