/** The CronJob that runs `paceline doctor` in the cluster: with its own account, which may look and nothing more. */
import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { findHelm } from "../../dev/chart/helm.ts";
import { startControlPlane, type ControlPlane } from "../../dev/control-plane/control-plane.ts";
import type { KubeObject } from "../../src/kube/parse/kube-json.ts";
import { applyAll, chartObjects, cli, NAMESPACE } from "../support/installed.ts";

const helm = await findHelm();
const ON = ["--set", "doctor.enabled=true"];
const NAME = "paceline-doctor";

interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}
const rightsOf = (role: { readonly rules?: readonly Rule[] } | undefined) =>
  (role?.rules ?? [])
    .flatMap(({ apiGroups, resources, verbs }) =>
      resources.flatMap((resource) => verbs.map((verb) => `${verb} ${apiGroups.join()}/${resource}`)),
    )
    .sort();
const named = (objects: readonly KubeObject[], kind: string) =>
  objects.find((one) => one.kind === kind && one.metadata?.name === NAME);

describe("the doctor in the cluster", () => {
  let cp: ControlPlane;
  beforeAll(async () => {
    cp = await startControlPlane();
    await cp.client.create("/api/v1/namespaces", { metadata: { name: NAMESPACE } });
  });
  afterAll(() => cp.stop());

  it("is not there by default", async () => {
    expect((await chartObjects(helm)).filter(({ metadata }) => metadata?.name === NAME)).toEqual([]);
  });

  it("has exactly the rights that docs/doctor.md lists, but for a proxy that it does not need inside", async () => {
    const page = await readFile(new URL("../../docs/doctor.md", import.meta.url), "utf8");
    const documented = rightsOf(parse(/```yaml\n(.*?)```/s.exec(page)?.[1] ?? "") as { rules: Rule[] });
    const granted = (objects: readonly KubeObject[]) => rightsOf(named(objects, "ClusterRole") as { rules?: Rule[] });
    const inside = documented.filter((right) => right !== "get /services/proxy");
    expect(granted(await chartObjects(helm, ON))).toEqual(inside);
    const without = await chartObjects(helm, [...ON, "--set", "doctor.kubelets=false"]);
    expect(granted(without)).toEqual(inside.filter((right) => right !== "get /nodes/proxy"));
  });

  it("runs only when it is asked to, unless it has a schedule", async () => {
    const spec = async (...args: string[]) => named(await chartObjects(helm, [...ON, ...args]), "CronJob")?.["spec"];
    expect(await spec()).toMatchObject({ suspend: true, jobTemplate: { spec: { backoffLimit: 0 } } });
    expect(await spec("--set", "doctor.schedule=@daily")).toMatchObject({ suspend: false, schedule: "@daily" });
  });

  it("with its account's rights alone it reads all that it looks at, and writes its report as text", async () => {
    await applyAll(cp, await chartObjects(helm, ON));
    // There is no replica, so it ends with findings.
    const failure = await cli(cp, NAME, ["doctor", "--namespace", NAMESPACE]).catch((error: unknown) => error);
    const { code, stdout } = failure as { code: number; stdout: string };
    expect(code).toBe(1);
    expect(stdout).toMatch(/\d+\. NoLeader: /);
    expect(stdout).toContain(`rights of system:serviceaccount:${NAMESPACE}:paceline: all there`);
    expect(stdout).toContain(`rights of system:serviceaccount:${NAMESPACE}:paceline-janitor: all there`);
    const forbidden = stdout.split("\n").filter((line) => line.includes("forbidden"));
    expect(forbidden).toEqual([]);
  });
});
