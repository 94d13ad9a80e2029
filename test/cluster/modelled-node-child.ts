/**
 * Starts two nodes, waits until they are Ready, and stops them. The process must then end by itself; otherwise it exits
 * with 1.
 */
import { createApiClient } from "../../src/kube/client/api-client.ts";
import { loadCredentials } from "../../src/kube/client/credentials.ts";
import { startModelledNodes } from "../../dev/modelled-node/modelled-node.ts";

/** A guard against hanging, ms. */
const HANG_MS = 60_000;

const [, , kubeconfig = ""] = process.argv;
const client = createApiClient(await loadCredentials({ kubeconfig }, process.env));
const set = await startModelledNodes(["child-a", "child-b"].map((name) => ({ client, name })));
await set.ready;
await set.stop({ deregister: true });
await client.close();
setTimeout(() => {
  console.error("still alive, kept up by:", process.getActiveResourcesInfo());
  process.exit(1);
}, HANG_MS).unref();
