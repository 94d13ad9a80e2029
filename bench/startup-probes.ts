/**
 * `npm run bench:startup-probes`: a herd whose startup probes take long, on the real control plane and one modelled
 * node that has its image, with and without Paceline. Such pods need nothing of their node meanwhile, so no pod should
 * wait for another's probe (docs/adr/0010). Exit 1 when the budget is missed, 2 for wrong flags.
 */
import { startControlPlane } from "../dev/control-plane/control-plane.ts";
import { observe } from "../dev/demo/observer.ts";
import { installAccess, installWebhooks } from "../dev/install.ts";
import { modelAnnotations } from "../dev/modelled-node/pod-order.ts";
import { startModelledNode } from "../dev/modelled-node/modelled-node.ts";
import { startServiceProcess } from "../dev/service.ts";
import { withProgress } from "../src/cli/progress.ts";
import { printVerdict } from "./figures.ts";
import { countOf, flagsOf } from "./flags.ts";

/** Issue 18: a herd of 40 with probes of 60 s, all Ready at most this many times as late as without Paceline. */
const AT_MOST = 1.05;
const NAMESPACE = "probes";
const IMAGE = "registry.example/web:1";

const values = flagsOf({ pods: { type: "string", default: "40" }, seconds: { type: "string", default: "60" } });
const pods = countOf("pods", values.pods);
const seconds = countOf("seconds", values.seconds);

/** Seconds from the node's Ready until all pods are. */
async function run(paced: boolean): Promise<number> {
  await using plane = await startControlPlane();
  const { client } = plane;
  if (paced) {
    await installAccess(client, {});
    const service = await startServiceProcess(plane);
    await installWebhooks(client, { url: service.url, caBundle: plane.caCert });
  }
  await client.create("/api/v1/namespaces", { metadata: { name: NAMESPACE } });
  const herd = observe(client, NAMESPACE);
  try {
    const annotations = { [modelAnnotations.startupProbeSeconds]: String(seconds) };
    const containers = [{ name: "web", image: IMAGE }];
    const names = Array.from({ length: pods }, (_, index) => `web-${index + 1}`);
    const path = `/api/v1/namespaces/${NAMESPACE}/pods`;
    await Promise.all(
      names.map((name) => client.create(path, { metadata: { name, annotations }, spec: { containers } })),
    );
    await using node = await startModelledNode({ client, name: "young", joinSeconds: 1, presentImages: [IMAGE] });
    await node.ready;
    const readyMs = Date.now();
    await herd.allReady(() => pods, AbortSignal.timeout(10 * 60_000));
    return (Date.now() - readyMs) / 1_000;
  } finally {
    herd.stop();
  }
}

const without = await withProgress("without Paceline", () => run(false));
const paceline = await withProgress("with Paceline", () => run(true));
const what = `all of ${pods} pods with startup probes of ${seconds} s Ready, with Paceline ÷ without`;
const note = `${paceline.toFixed(1)} s and ${without.toFixed(1)} s`;
process.exitCode = printVerdict([
  { what, unit: "", measured: paceline / without, note, budget: { kind: "at most", value: AT_MOST } },
]);
