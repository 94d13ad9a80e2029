/** Starts further replicas, which end with the control plane, and asks the API server which one leads. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { ControlPlane } from "../../dev/control-plane/control-plane.ts";
import { serviceToken } from "../../dev/install.ts";
import { COMPONENT, DEFAULT_NAMESPACE, LEADER_LEASE } from "../../src/api/names.ts";
import { eventually } from "./control-plane.ts";

const MAIN = join(import.meta.dirname, "replica-child.ts");
const leasePath = `/apis/coordination.k8s.io/v1/namespaces/${DEFAULT_NAMESPACE}/leases/${LEADER_LEASE}`;

export interface Replicas {
  /** Starts a replica. The name is its identity in the Lease. */
  start(name: string): Promise<void>;
  /** Resolves with the name of a running replica that holds the Lease and has renewed it since the call. */
  leader(): Promise<string>;
}

export function replicasOf(plane: ControlPlane): Replicas {
  const running = new Set<string>();
  const lease = async () => {
    const { spec } = await plane.client.get(leasePath);
    return spec as { holderIdentity: string; renewTime: string };
  };
  return {
    start: async (name) => {
      const path = join(plane.folder, `${name}.kubeconfig`);
      const token = await serviceToken(plane.client);
      await writeFile(path, plane.kubeconfigFor({ name: COMPONENT, token }), { mode: 0o600 });
      await plane.startProgram(name, process.execPath, [MAIN, path, name]);
      running.add(name);
    },
    leader: () => {
      const since = new Date().toISOString();
      return eventually("a replica leads", async () => {
        const { holderIdentity, renewTime } = await lease();
        return running.has(holderIdentity) && renewTime > since ? holderIdentity : undefined;
      });
    },
  };
}
