/**
 * Karpenter beside a control plane: its own controllers, and its own simulated cloud, in which a machine is a Node
 * object (karpenter/main.go). Built once into the cache. There is one instance type.
 */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { ApiClient } from "../../src/kube/client/api-client.ts";
import { isConflict } from "../../src/kube/client/api-error.ts";
import type { KubeObject, RawTaint } from "../../src/kube/parse/kube-json.ts";
import { type Child, untilReady } from "../control-plane/child.ts";
import type { ControlPlane } from "../control-plane/control-plane.ts";
import { freePort } from "../control-plane/ports.ts";
import { buildOnce, cacheFolder } from "../go-build.ts";
import { answersOk } from "./answers-ok.ts";
import { RESOURCES } from "./machine.ts";

const run = promisify(execFile);
const source = join(import.meta.dirname, "karpenter");
const SOURCES = ["main.go", "go.mod", "go.sum"];
const OUTPUT_BYTES = 16 * 1_048_576;
const READY_WITHIN_MS = 60_000;

export const NODE_POOLS = "/apis/karpenter.sh/v1/nodepools";
export const NODE_CLAIMS = "/apis/karpenter.sh/v1/nodeclaims";

/** Path of the program. @throws with the compiler's last lines when it cannot be built */
export async function findKarpenter(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const hash = createHash("sha256");
  for (const name of SOURCES) hash.update(readFileSync(join(source, name)));
  const folder = join(cacheFolder(env), "karpenter", hash.digest("hex").slice(0, 16));
  await buildOnce(folder, env, (unfinished, runGo) =>
    runGo({
      name: "building Karpenter",
      detail: "once, about 3 minutes on 2 cores",
      module: { folder: source, main: "." },
      args: ["build", "-v", "-p", "2", "-trimpath", "-buildvcs=false", "-o", join(unfinished, "karpenter"), "."],
    }),
  );
  return join(folder, "karpenter");
}

/** Builds it if need be, installs its definitions and starts it. It ends with the control plane. */
export async function startKarpenter(plane: ControlPlane): Promise<Child> {
  const program = await findKarpenter();
  await installDefinitions(plane.client, program);
  const types = join(plane.folder, "instance-types.json");
  await writeFile(types, JSON.stringify([instanceType()]));
  const [health, metrics] = [await freePort(), await freePort()];
  const settings = {
    KUBECONFIG: plane.kubeconfigPath,
    INSTANCE_TYPES_FILE_PATH: types,
    DISABLE_LEADER_ELECTION: "true",
    HEALTH_PROBE_PORT: String(health),
    METRICS_PORT: String(metrics),
  };
  const words = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  const child = await plane.startProgram("karpenter", "env", [...words, program]);
  await untilReady(child, () => answersOk(`http://127.0.0.1:${health}/readyz`), READY_WITHIN_MS);
  child.announceUnexpectedEnd();
  return child;
}

async function installDefinitions(client: ApiClient, program: string): Promise<void> {
  const { stdout } = await run(program, ["crds"], { maxBuffer: OUTPUT_BYTES });
  for (const definition of JSON.parse(stdout) as KubeObject[]) {
    await client.create("/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition).catch(ignoreExisting);
  }
  for (const path of [NODE_POOLS, NODE_CLAIMS, NODE_CLASSES]) await untilServed(client, path);
}

function ignoreExisting(error: unknown): void {
  if (!isConflict(error)) throw error;
}

/** The API server serves a definition a moment after it was created. */
async function untilServed(client: ApiClient, path: string): Promise<void> {
  const deadline = Date.now() + READY_WITHIN_MS;
  for (;;) {
    const { status, text } = await client.raw("GET", path);
    if (status === 200) return;
    if (Date.now() > deadline) throw new Error(`${path} is not served: ${status} ${text}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

const ZONE = "test-zone-a";
const CAPACITY_TYPE = "on-demand";

function instanceType(): object {
  const requirement = (key: string, value: string) => ({ key, operator: "In", values: [value] });
  const requirements = [
    requirement("karpenter.sh/capacity-type", CAPACITY_TYPE),
    requirement("topology.kubernetes.io/zone", ZONE),
  ];
  const offerings = [{ Price: 0.2, Available: true, Requirements: requirements }];
  return { name: "modelled-4x", offerings, architecture: "amd64", operatingSystems: ["linux"], resources: RESOURCES };
}

const NODE_CLASSES = "/apis/karpenter.kwok.sh/v1alpha1/kwoknodeclasses";

export interface PoolOptions {
  /** Taints that others take off (`spec.template.spec.startupTaints`). */
  readonly startupTaints?: readonly RawTaint[];
  /** `spec.disruption.consolidateAfter`; Karpenter's default is 0s. */
  readonly consolidateAfter?: string;
  /** From the launch of a machine to its Node, such as `5s`; default none. */
  readonly registrationDelay?: string;
}

/** Creates the one NodePool, `pool`. */
export async function createPool(client: ApiClient, options: PoolOptions = {}): Promise<void> {
  const { startupTaints = [], consolidateAfter = "15m", registrationDelay = "0s" } = options;
  await client.create(NODE_CLASSES, {
    apiVersion: "karpenter.kwok.sh/v1alpha1",
    kind: "KWOKNodeClass",
    metadata: { name: "modelled" },
    spec: { nodeRegistrationDelay: registrationDelay },
  });
  const nodeClassRef = { group: "karpenter.kwok.sh", kind: "KWOKNodeClass", name: "modelled" };
  const requirements = [{ key: "karpenter.sh/capacity-type", operator: "In", values: [CAPACITY_TYPE] }];
  const spec = { nodeClassRef, requirements, startupTaints, expireAfter: "Never" };
  const disruption = { consolidationPolicy: "WhenEmptyOrUnderutilized", consolidateAfter };
  await client.create(NODE_POOLS, {
    apiVersion: "karpenter.sh/v1",
    kind: "NodePool",
    metadata: { name: "pool" },
    spec: { template: { spec }, disruption },
  });
}
