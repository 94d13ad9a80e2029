/** What happens to a herd when Paceline goes: by death of every replica, and by uninstall. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findHelm } from "../../dev/chart/helm.ts";
import { startControlPlane, type ControlPlane } from "../../dev/control-plane/control-plane.ts";
import type { KubeObject } from "../../src/cluster/kube-json.ts";
import type { ModelledNodes } from "../../src/simulate/node/modelled-node.ts";
import { eventually } from "../support/control-plane.ts";
import {
  applyAll,
  callingAt,
  chartObjects,
  cli,
  kubectl,
  NAMESPACE,
  startBalancer,
  startReplica,
  type Balancer,
  type Replica,
} from "../support/installed.ts";
import { createHerd, joinNodes, traces } from "../support/small-herd.ts";

const helm = await findHelm();

/** Short, so that the test sees it pass; and one slot, so that the herd is still held when it does. */
const SLOW =
  "policy.maxHoldSeconds=20,policy.nodeClasses[0].name=slow,policy.nodeClasses[0].slots.initial=1,policy.nodeClasses[0].slots.max=1";

describe("Paceline goes in the middle of a herd", () => {
  let cp: ControlPlane;
  let balancer: Balancer;
  let objects: KubeObject[];
  let replicas: Replica[];
  let fleet: ModelledNodes;

  beforeAll(async () => {
    cp = await startControlPlane();
    await cp.client.create("/api/v1/namespaces", { metadata: { name: NAMESPACE } });
    balancer = await startBalancer();
    objects = await chartObjects(helm, ["--set", SLOW]);
    await applyAll(cp, callingAt(balancer.url, objects));
    await start();
    fleet = await joinNodes(cp.client, "young-1");
    await fleet.ready;
  });
  afterAll(async () => {
    await fleet.stop();
    await balancer[Symbol.asyncDispose]();
    await cp.stop();
  });

  async function start(): Promise<void> {
    replicas = await Promise.all(["paceline-a", "paceline-b"].map((name) => startReplica(cp, objects, name)));
    balancer.use(replicas.map(({ port }) => port));
  }

  async function holdSome(name: string): Promise<void> {
    await eventually("the webhook works", async () => {
      const raw = await cp.client.get("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/paceline");
      return JSON.stringify(raw).includes("caBundle");
    });
    await createHerd(cp.client, name, 14);
    await eventually("some run and some are held", async () => {
      const { gated, running } = await traces(cp.client);
      return gated > 0 && running > 0;
    });
  }

  it("both replicas killed for good: new pods schedule, and the janitor frees the held by the cap", async () => {
    await holdSome("first");
    balancer.use([]);
    await Promise.all(replicas.map(({ process: child }) => child.kill()));
    const held = (await traces(cp.client)).gated;
    expect(held).toBeGreaterThan(0);
    await cp.client.create("/api/v1/namespaces/default/pods", {
      metadata: { name: "newcomer" },
      spec: {
        containers: [{ name: "main", image: "registry.example/app-0:1" }],
        tolerations: [{ operator: "Exists" }],
      },
    });
    await eventually("the newcomer is bound", async () => {
      const pod = await cp.client.get("/api/v1/namespaces/default/pods/newcomer");
      return (pod["spec"] as { nodeName?: string }).nodeName !== undefined;
    });
    const { stdout: early } = await cli(cp, "paceline-janitor", ["release", "--expired", "--dry-run", "--json"]);
    console.log(
      `held when both were killed: ${held}; expired at once: ${(JSON.parse(early) as { pods: [] }).pods.length}`,
    );
    await eventually(
      "the janitor frees all",
      async () => {
        await cli(cp, "paceline-janitor", ["release", "--expired", "--json"]);
        return (await traces(cp.client)).gated === 0;
      },
      40_000,
    );
  });

  it("uninstalled: no gated pod, no fence, no webhook, no Secret, no Lease, and every pod runs", async () => {
    await cli(cp, "paceline-janitor", ["release", "--expired"]);
    await start();
    await eventually("a leader", async () => {
      const lease = await cp.client.get(`/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/paceline-leader`);
      return replicas.some(({ name }) => name === (lease["spec"] as { holderIdentity?: string }).holderIdentity);
    });
    await holdSome("second");
    const before = await traces(cp.client);
    const withHooks = await chartObjects(helm, ["--set", SLOW], true);
    const hooks = withHooks.filter(({ metadata }) => metadata?.annotations?.["helm.sh/hook"] === "pre-delete");
    await applyAll(
      cp,
      hooks.filter(({ kind }) => kind !== "Job"),
    );
    const job = hooks.find(({ kind }) => kind === "Job")?.["spec"] as JobSpec;
    const { stdout } = await cli(cp, "paceline-uninstall", job.template.spec.containers[0]?.args ?? []);
    console.log(`held before: ${before.gated}; uninstall: ${stdout.trim()}`);
    balancer.use([]);
    await Promise.all(replicas.map(({ process: child }) => child.kill()));
    for (const { kind = "", metadata = {} } of [...objects, ...hooks]) {
      const scope = metadata.namespace === undefined ? [] : ["-n", metadata.namespace];
      await kubectl(cp, "delete", kind, metadata.name ?? "", ...scope, "--ignore-not-found", "--wait=false");
    }
    expect(await traces(cp.client)).toMatchObject({ gated: 0, fences: 0 });
    const left = await kubectl(
      cp,
      ...[
        "get",
        "mutatingwebhookconfigurations,validatingwebhookconfigurations,secrets,leases,configmaps,roles,clusterroles",
      ],
      ...["-A", "-o", "name"],
    );
    expect(left.split("\n").filter((name) => name.includes("paceline"))).toEqual([]);
    await eventually(
      "every pod runs",
      async () => {
        const { running, pods } = await traces(cp.client);
        return running === pods;
      },
      90_000,
    );
    expect((await traces(cp.client)).pods).toBeGreaterThanOrEqual(before.pods);
  });
});

interface JobSpec {
  readonly template: { readonly spec: { readonly containers: readonly { readonly args: string[] }[] } };
}
