/** Upgrades by Helm itself: from an earlier release's values, and over a live edit of the policy. */
import { cp as copy, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, parseAllDocuments, stringify } from "yaml";
import { CHART, findHelm, helmText } from "../../dev/chart/helm.ts";
import { startControlPlane, type ControlPlane } from "../../dev/control-plane/control-plane.ts";
import { recordOf, textOf, type KubeObject } from "../../src/kube/parse/kube-json.ts";
import { kubectl, NAMESPACE } from "../support/installed.ts";

/** Values inside which an absent key has a meaning of its own, so that nothing is put in its place. */
const OPEN = ["policy", "resources", "nodeSelector", "affinity", "podAnnotations"];

const helm = await findHelm();
const values = parse(await readFile(join(CHART, "values.yaml"), "utf8")) as Record<string, unknown>;
const folder = await mkdtemp(join(tmpdir(), "paceline-upgrade-"));
const earlier = join(folder, "earlier");
const trimmed = join(folder, "trimmed");
await copy(CHART, earlier, { recursive: true });
await copy(CHART, trimmed, { recursive: true });
await copy(join(import.meta.dirname, "earlier-values.yaml"), join(earlier, "values.yaml"));
afterAll(() => rm(folder, { recursive: true }));

/** With --reuse-values Helm takes the values of the earlier release in place of values.yaml. */
async function rendered(kept: Record<string, unknown>): Promise<string> {
  await writeFile(join(trimmed, "values.yaml"), stringify(kept));
  return helmText(helm, ["template", "paceline", trimmed, "--namespace", NAMESPACE]);
}

const without = (object: object, key: string) => Object.fromEntries(Object.entries(object).filter(([k]) => k !== key));
const reversed = (policy: unknown) => Object.fromEntries(Object.entries(recordOf(policy)).reverse());
const keysIn = (value: unknown) => (Array.isArray(value) ? [] : Object.keys(recordOf(value)));

describe("values that an earlier release does not have", () => {
  it("get their defaults: without any one key of the first two levels the same is rendered", async () => {
    const whole = await rendered(values);
    const differing: string[] = [];
    for (const key of Object.keys(values)) {
      if ((await rendered(without(values, key))) !== whole) differing.push(key);
      for (const inner of OPEN.includes(key) ? [] : keysIn(values[key])) {
        const section = without(recordOf(values[key]), inner);
        if ((await rendered({ ...values, [key]: section })) !== whole) differing.push(`${key}.${inner}`);
      }
    }
    expect(differing).toEqual([]);
    expect(await rendered({})).toBe(whole);
  });

  it("may be any keys of an open value: what is left of it is rendered", async () => {
    for (const key of OPEN) expect(await rendered({ ...values, [key]: {} })).toContain("kind: Deployment");
  });

  it("keep what was said: nothing that is false, empty or 0 becomes a default again", async () => {
    const said = {
      ...values,
      replicas: 1,
      flowSchemas: false,
      webhooks: { exemptNamespaces: [], exemptPolicy: false },
    };
    const text = await rendered({ ...said, janitor: { aheadSeconds: 0 } });
    expect(text).not.toContain("FlowSchema");
    expect(text).toContain("--ahead=0");
    expect(text).toContain('values: ["kube-system","paceline"]');
  });
});

describe("a release", () => {
  let cp: ControlPlane;
  const asOperator = (...args: string[]) =>
    helmText(helm, [...args, "--namespace", NAMESPACE], { KUBECONFIG: cp.kubeconfigPath });
  const upgrade = (...args: string[]) => asOperator("upgrade", "paceline", CHART, ...args);
  const policyPath = `/api/v1/namespaces/${NAMESPACE}/configmaps/paceline-policy`;

  beforeAll(async () => {
    cp = await startControlPlane({ scheduler: false, controllerManager: false });
  });
  afterAll(() => cp.stop());

  async function installed(): Promise<KubeObject[]> {
    const all = parseAllDocuments(await asOperator("get", "manifest", "paceline"));
    return all.map((one) => one.toJS() as KubeObject);
  }

  async function policy(): Promise<string> {
    return textOf(recordOf((await cp.client.get(policyPath))["data"])["policy.yaml"]);
  }

  /** As `kubectl edit` does. */
  async function edit(from: string, to: string): Promise<void> {
    const data = { "policy.yaml": (await policy()).replace(from, to) };
    await cp.client.patch(policyPath, { data }, "merge", { fieldManager: "kubectl-edit" });
    expect(await policy()).toContain(to);
  }

  /** The objects of the release, and its revision: what an upgrade that was refused leaves alone. */
  async function everything(): Promise<string[]> {
    const kinds = "deployments,configmaps,services,networkpolicies,roles,secrets,clusterroles,cronjobs,leases";
    const columns = "custom-columns=K:.kind,N:.metadata.name,U:.metadata.uid,V:.metadata.resourceVersion";
    const select = ["-l", "app.kubernetes.io/instance=paceline"];
    const listed = await kubectl(cp, "get", kinds, "-n", NAMESPACE, ...select, "-o", columns);
    return [listed, await asOperator("history", "paceline", "-o", "json")];
  }

  it("of an earlier chart is upgraded with --reuse-values, to what the new chart's own values give", async () => {
    await asOperator("install", "paceline", earlier, "--create-namespace", "--set", "logLevel=warn");
    await upgrade("--reuse-values");
    const reused = await installed();
    await upgrade("--reset-then-reuse-values");
    // Only a list that the earlier release had differs: that of the NetworkPolicy's ports.
    const other = ({ kind }: KubeObject) => kind !== "NetworkPolicy";
    expect(reused.filter(other)).toEqual((await installed()).filter(other));
    expect(JSON.stringify(reused)).toContain("--log-level=warn");
  });

  it("is not touched by an upgrade that would write over a live edit of the policy", async () => {
    await edit("mode: enforce", "mode: observe");
    const before = await everything();
    for (const more of [[], ["--dry-run=server"], ["--force-conflicts"]]) {
      const refused = upgrade("--reuse-values", "--set", "replicas=3,policy.youngForSeconds=60", ...more);
      await expect(refused).rejects.toThrow(/edited \(by kubectl-edit\).*Nothing was changed.*policyEdits=keep/);
      expect(await everything()).toEqual(before);
    }
  });

  it("keeps the edit, or goes over it, as the operator says", async () => {
    await upgrade("--reuse-values", "--set", "replicas=3,policyEdits=keep");
    expect(await policy()).toContain("mode: observe");
    await upgrade("--reuse-values", "--set", "replicas=4,policyEdits=overwrite", "--force-conflicts");
    expect(await policy()).toContain("mode: enforce");
    // It is Helm's again: the next upgrade needs no flag.
    await upgrade("--reuse-values", "--set", "policyEdits=refuse,policy.youngForSeconds=60");
    expect(await policy()).toContain("youngForSeconds: 60");
  });

  it("needs no word where the edit was taken over into the chart's value", async () => {
    await edit("youngForSeconds: 60", "youngForSeconds: 90");
    await upgrade("--reuse-values", "--set", "policy.youngForSeconds=90");
    expect(await policy()).toContain("youngForSeconds: 90");
  });

  it("needs no word for an edit that says the same in other order and with comments, which it keeps", async () => {
    const data = { "policy.yaml": `# Ours.\n${stringify(reversed(parse(await policy())))}# The end.` };
    await cp.client.patch(policyPath, { data }, "merge", { fieldManager: "kubectl-edit" });
    await upgrade("--reuse-values", "--set", "replicas=5");
    expect(await policy()).toBe(data["policy.yaml"]);
  });

  it("has webhooks and admission policies that follow a kept edit instead of the values", async () => {
    const kinds = async () => (await installed()).map(({ kind }) => kind);
    const hasExemptPolicy = (await kubectl(cp, "api-resources")).includes("mutatingadmissionpolicies");
    if (hasExemptPolicy) expect(await kinds()).toContain("MutatingAdmissionPolicy");
    await edit("mode: enforce", "mode: observe");
    await edit("schedulerNames:", "schedulerNames:\n  - edited-in");
    await upgrade("--reuse-values", "--set", "policyEdits=keep");
    expect(await kinds()).not.toContain("MutatingAdmissionPolicy");
    const webhooks = (await installed()).find(({ kind }) => kind === "MutatingWebhookConfiguration");
    expect(JSON.stringify(webhooks)).toContain('"edited-in');
    expect(await asOperator("get", "notes", "paceline")).toContain("(mode: observe)");
  });

  it("keeps an edit that cannot be read, and renders the rest from the values", async () => {
    await edit("mode: observe", "mode: [observe");
    await upgrade("--reuse-values", "--set", "policyEdits=keep");
    expect(await policy()).toContain("mode: [observe");
    await expect(upgrade("--reuse-values", "--set", "policyEdits=refuse")).rejects.toThrow(/Nothing was changed/);
  });

  it("takes no installer for an editor, whatever its program is called, and an edit after it for one", async () => {
    await upgrade("--reuse-values", "--set", "policyEdits=overwrite,policy.youngForSeconds=60", "--force-conflicts");
    // As if a program with Helm's SDK had written all of it: such a program's name is the manager's (Fleet, Pulumi).
    const { managedFields } = recordOf((await cp.client.get(policyPath)).metadata);
    const renamed = JSON.stringify({ metadata: { managedFields } }).replaceAll('"helm"', '"fleetagent"');
    await cp.client.patch(policyPath, JSON.parse(renamed), "merge");
    const next = ["--reuse-values", "--force-conflicts", "--set"] as const;
    await upgrade(...next, "policyEdits=refuse,policy.youngForSeconds=61");
    expect(await policy()).toContain("youngForSeconds: 61");
    await edit("youngForSeconds: 61", "youngForSeconds: 62");
    await expect(upgrade(...next, "policy.youngForSeconds=63")).rejects.toThrow(/edited \(by kubectl-edit\)/);
  });

  it("takes for an edit what kubectl applies from a file with all that the installer wrote", async () => {
    await upgrade("--reuse-values", "--set", "policyEdits=overwrite,policy.youngForSeconds=60", "--force-conflicts");
    const whole = (await installed()).find(
      ({ kind, metadata }) => kind === "ConfigMap" && metadata?.name === "paceline-policy",
    );
    const file = join(folder, "policy.json");
    await writeFile(file, JSON.stringify(whole).replace("youngForSeconds: 60", "youngForSeconds: 61"));
    await kubectl(cp, "apply", "--server-side", "--force-conflicts", "-f", file);
    const refused = upgrade("--reuse-values", "--set", "policyEdits=refuse,policy.youngForSeconds=62");
    await expect(refused).rejects.toThrow(/edited \(by kubectl\)/);
    await upgrade("--reuse-values", "--set", "policyEdits=overwrite,policy.youngForSeconds=60", "--force-conflicts");
  });

  it("takes for an edit what was deleted and created anew with another text, as a restore does", async () => {
    const { apiVersion, kind, metadata } = await cp.client.get(policyPath);
    const { name = "", namespace, labels, annotations } = metadata ?? {};
    const data = { "policy.yaml": (await policy()).replace("youngForSeconds: 60", "youngForSeconds: 61") };
    await kubectl(cp, "delete", "configmap", name, "-n", NAMESPACE);
    const restored = { apiVersion, kind, metadata: { name, namespace, labels, annotations }, data };
    await cp.client.create(dirname(policyPath), restored);
    const next = ["--reuse-values", "--force-conflicts", "--set"] as const;
    await expect(upgrade(...next, "policyEdits=refuse,policy.youngForSeconds=62")).rejects.toThrow(/edited/);
    await upgrade(...next, "policyEdits=overwrite,policy.youngForSeconds=60");
  });

  it("is no editor's any more once the edit was taken over into the value", async () => {
    await edit("youngForSeconds: 60", "youngForSeconds: 90");
    const next = ["--reuse-values", "--force-conflicts", "--set"] as const;
    await upgrade(...next, "policyEdits=refuse,policy.youngForSeconds=90");
    await upgrade(...next, "policyEdits=refuse,policy.youngForSeconds=60");
    expect(await policy()).toContain("youngForSeconds: 60");
  });

  it("can be asked first what else an upgrade would find in conflict, by the line in docs/operations.md", async () => {
    await kubectl(cp, "scale", "deployment", "paceline", "-n", NAMESPACE, "--replicas=7");
    const page = await readFile(join(import.meta.dirname, "../../docs/operations.md"), "utf8");
    const flags = /kubectl apply (--server-side .*) -f -/.exec(page)?.[1]?.split(" ") ?? [];
    expect(flags).toContain("--dry-run=server");
    const file = join(folder, "new.yaml");
    await writeFile(file, await asOperator("template", "paceline", CHART, "--no-hooks", "--set", "replicas=3"));
    const before = await everything();
    await expect(kubectl(cp, "apply", ...flags, "-f", file)).rejects.toThrow(/conflict.*\.spec\.replicas/s);
    expect(await everything()).toEqual(before);
  });
});
