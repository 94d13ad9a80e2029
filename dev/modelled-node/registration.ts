/** Keeps the Node object and its Lease as a kubelet does: registered, Ready after joining, renewed, images reported. */
import type { ApiClient } from "../../src/kube/client/api-client.ts";
import { isConflict, isNotFound } from "../../src/kube/client/api-error.ts";
import type { Clock } from "../../src/kube/clock.ts";
import type { PresentImage } from "../../src/simulate/model/types.ts";
import type { NodeIdentity } from "./node-object.ts";
import { LEASE_NAMESPACE, leaseObject, microTime, nodeObject, nodeStatus } from "./node-object.ts";
import type { Writer } from "./writer.ts";

/** Renewal of the Lease, in ms. Source: kubelet, a quarter of nodeLeaseDurationSeconds. */
const LEASE_RENEW_MS = 10_000;
/** How often the status is written if it changed, in ms. Source: KubeletConfiguration.nodeStatusUpdateFrequency. */
const STATUS_UPDATE_MS = 10_000;

export interface RegistrationOptions {
  readonly client: ApiClient;
  readonly clock: Clock;
  readonly writer: Writer;
  readonly node: NodeIdentity;
  readonly images: () => readonly PresentImage[];
  /** Model seconds per wall second. The Lease is renewed in wall time, because node-lifecycle uses wall time. */
  readonly speed: number;
}

export interface Registration {
  /** Reports Ready from now on, as if since `agoMs` ago; `written` is called when the API server has it. */
  becomeReady(written: () => void, agoMs?: number): void;
  /** The images changed: they are reported with the next status. */
  imagesChanged(): void;
  /** Ends the renewals. */
  stop(): void;
}

/**
 * Creates the Node (or takes over the existing one), not Ready yet, and begins to renew its Lease.
 * @throws ApiError when the API server refuses the Node
 */
export async function register(options: RegistrationOptions): Promise<Registration> {
  const { client, clock, node } = options;
  const created = await createOrGet(client, "/api/v1/nodes", node.name, nodeObject(node, clock.now()));
  return keep(options, created.metadata?.uid ?? "");
}

const leasesPath = `/apis/coordination.k8s.io/v1/namespaces/${LEASE_NAMESPACE}/leases`;

async function createOrGet(client: ApiClient, path: string, name: string, body: object) {
  try {
    return await client.create(path, body);
  } catch (error) {
    if (!isConflict(error)) throw error;
    return await client.get(`${path}/${name}`);
  }
}

function keep(options: RegistrationOptions, uid: string): Registration {
  const { client, clock, writer, node, images, speed } = options;
  let ready = false;
  let changed = true;
  let transitionMs = clock.now();
  const writeStatus = (written?: () => void) => {
    changed = false;
    writer.put("node-status", async () => {
      const status = nodeStatus(node, { ready, transitionMs, images: images() }, clock.now());
      await client.patch(`/api/v1/nodes/${node.name}/status`, { status }, "strategic");
      written?.();
    });
  };
  const renew = async () => {
    const spec = { holderIdentity: node.name, renewTime: microTime(clock.now()) };
    try {
      await client.patch(`${leasesPath}/${node.name}`, { spec }, "merge");
    } catch (error) {
      if (!isNotFound(error)) throw error;
      await client.create(leasesPath, leaseObject(node.name, uid, clock.now()));
    }
  };
  const endRenewals = every(clock, LEASE_RENEW_MS, () => writer.put("lease", renew));
  const endUpdates = every(clock, STATUS_UPDATE_MS / speed, () => {
    if (changed) writeStatus();
  });
  // Right after the API server's start the namespace of Leases may be missing. Then the next renewal creates the Lease.
  writer.put("lease", renew);
  writeStatus();
  return {
    becomeReady(written, agoMs = 0) {
      ready = true;
      transitionMs = clock.now() - agoMs;
      writeStatus(written);
    },
    imagesChanged() {
      changed = true;
    },
    stop() {
      endRenewals();
      endUpdates();
    },
  };
}

/** Calls `fn` every `ms`. @returns a function that ends it */
function every(clock: Clock, ms: number, fn: () => void): () => void {
  let cancel = clock.setTimer(again, ms);
  function again(): void {
    cancel = clock.setTimer(again, ms);
    fn();
  }
  return () => cancel();
}
