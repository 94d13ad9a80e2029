/** The chart as it is published: its schema, its package, and a registry that is given it and asked for it. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { CHART, findHelm, helmTemplate, helmText } from "../../dev/chart/helm.ts";
import { startRegistry } from "../../dev/chart/registry.ts";

const helm = await findHelm();
const folder = await mkdtemp(join(tmpdir(), "paceline-package-"));
afterAll(() => rm(folder, { recursive: true }));

const { version } = parse(await readFile(join(CHART, "Chart.yaml"), "utf8")) as { version: string };

describe("helm lint", () => {
  const TYPOS: readonly (readonly [string, RegExp])[] = [
    ["policy.maxHoldSecond=3", /at '\/policy\/maxHoldSecond': .*this key is unknown.* maxHoldSeconds,/],
    ["policy.fence.rolCall=true", /at '\/policy\/fence\/rolCall': .* rollCall,/],
    ["policy.kind=PacingPolicy", /at '\/policy\/kind': .*unknown/],
    ["policy.mode=enforced", /at '\/policy\/mode': value must be one of 'enforce', 'observe', 'off'/],
    ["policy.maxHoldSeconds=541", /at '\/policy\/maxHoldSeconds': maximum: got 541, want 540/],
    ["policy.telemetry.source=prom", /at '\/policy\/telemetry\/source': value must be one of .*'prometheus'/],
    ["policy.telemetry.source=prometheus", /at '\/policy\/telemetry': missing property 'url'/],
    ["policy.telemetry.intervalMS=3", /at '\/policy\/telemetry\/intervalMS': .* intervalMs,/],
    ["policy.exempt.podSelector.matchLabel.a=b", /at '\/policy\/exempt\/podSelector\/matchLabel': .* matchLabels,/],
    ["policy.nodeClasses[0].slots.max=2", /at '\/policy\/nodeClasses\/0': missing property 'name'/],
  ];

  it.each(TYPOS)("refuses %s, and names place and cure", async (typo, message) => {
    const lint = helmText(helm, ["lint", CHART, "--set", typo]);
    await expect(lint).rejects.toMatchObject({ stdout: expect.stringMatching(message) as string });
  });

  it("takes every key of the example in docs/policy.md", async () => {
    const example = await readFile(join(import.meta.dirname, "../../dev/docs/example-policy.yaml"), "utf8");
    const { apiVersion: _version, kind: _kind, ...policy } = parse(example) as Record<string, unknown>;
    const args = ["lint", "--strict", CHART, "--set-json", `policy=${JSON.stringify(policy)}`];
    expect(await helmText(helm, args)).toContain("0 chart(s) failed");
  });
});

describe("labels and annotations", () => {
  it.each([
    ["podAnnotations.a=true", "deployment", /^ +a: "true"$/m],
    ["nodeSelector.pool=7", "deployment", /^ +pool: "7"$/m],
    ["webhooks.annotations.a=1234567", "webhooks", /^ +a: "1234567"$/m],
    [
      "metrics.dashboards.enabled=true,metrics.dashboards.labels.grafana_dashboard=1",
      "monitoring",
      /_dashboard: "1"$/m,
    ],
    ["metrics.podMonitor.enabled=true,metrics.podMonitor.labels.a=false", "monitoring", /^ +a: "false"$/m],
  ])("of %s are text, as the API server wants them", async (set, template, text) => {
    const args = ["--set", set, "--show-only", `templates/${template}.yaml`];
    expect(await helmTemplate({ helm, args })).toMatch(text);
  });

  it("are refused where a value is neither text nor number nor boolean", async () => {
    const lint = helmText(helm, ["lint", CHART, "--set", "podAnnotations.a.b=c"]);
    await expect(lint).rejects.toMatchObject({ stdout: expect.stringContaining("/podAnnotations/a") as string });
  });
});

describe("the alerts' runbooks", () => {
  const rule = (runbooks: string) => {
    const set = `metrics.prometheusRule.enabled=true,metrics.prometheusRule.runbooks=${runbooks}`;
    return helmTemplate({ helm, args: ["--set", set, "--show-only", "templates/monitoring.yaml"] });
  };

  it("lead to the address that is given, and nothing else of the rules changes", async () => {
    const text = await rule("https://wiki/pacing");
    expect(text).toContain("runbook_url: https://wiki/pacing#pacelinenoleader");
    expect(text.match(/docs\/monitoring\.md/g)).toHaveLength(1); // the comment at the top
  });

  it("lead to the page in the repository when the value is null", async () => {
    expect(await rule("null")).toContain("runbook_url: docs/monitoring.md#pacelinenoleader");
  });
});

describe("the package", () => {
  it("is pushed to a registry and pulled from it as an OCI artifact, and renders what the folder renders", async () => {
    await using registry = await startRegistry();
    await helmText(helm, ["package", CHART, "--destination", folder]);
    const file = `paceline-${version}.tgz`;
    expect(await readdir(folder)).toEqual([file]);
    const charts = `oci://${registry.host}/charts`;
    await helmText(helm, ["push", join(folder, file), charts, "--plain-http"]);
    const pulled = join(folder, "pulled");
    const pull = ["pull", `${charts}/paceline`, "--version", version, "--plain-http"];
    await helmText(helm, [...pull, "--untar", "--untardir", pulled]);

    const own = await readdir(join(pulled, "paceline"), { recursive: true });
    expect(own).toEqual(expect.arrayContaining(["README.md", "values.schema.json", join("values", "eks.yaml")]));
    expect(own).not.toContain("ci");
    const render = (chart: string) => helmText(helm, ["template", "paceline", chart, "--namespace", "paceline"]);
    expect(await render(join(pulled, "paceline"))).toBe(await render(CHART));

    const manifest = await fetch(`http://${registry.host}/v2/charts/paceline/manifests/${version}`, {
      headers: { accept: "application/vnd.oci.image.manifest.v1+json" },
    });
    expect(await manifest.json()).toMatchObject({
      config: { mediaType: "application/vnd.cncf.helm.config.v1+json" },
      annotations: { "org.opencontainers.image.title": "paceline", "org.opencontainers.image.version": version },
    });
  });
});
