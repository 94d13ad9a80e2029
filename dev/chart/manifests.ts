/**
 * `npm run manifests`: renders the plain manifests from the chart, and writes the chart's own README, schema and
 * defaults, so that all are always equal. `--check` only compares, and exits with 1 when a committed file differs.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import prettier from "prettier";
import { parse, stringify } from "yaml";
import { boards } from "../dashboards/boards.ts";
import { dashboardJson } from "../dashboards/grafana.ts";
import { chartReadme } from "./chart-readme.ts";
import { CHART, findHelm, helmTemplate } from "./helm.ts";
import { valueKeys } from "./values-keys.ts";
import { valuesSchema } from "./values-schema.ts";

const ROOT = join(import.meta.dirname, "../..");

const NAMESPACE = `apiVersion: v1
kind: Namespace
metadata:
  name: paceline
  labels: {app.kubernetes.io/name: paceline, pod-security.kubernetes.io/enforce: restricted}
`;

interface Manifest {
  /** Path from the root. */
  readonly file: string;
  /** Templates of the chart that make up the file. */
  readonly templates: readonly string[];
  /** Comment at its top; lines without "#". */
  readonly head: string;
  /** Documents before the rendered ones. */
  readonly before?: string;
  readonly args: readonly string[];
}

/** Plain manifests mount certificates that were made by hand (certs/README.md). */
const FILES = ["--set", "certificates.mode=files,certificates.caBundle=CA_BUNDLE"];

const manifests: readonly Manifest[] = [
  {
    file: "webhook-config/rbac.yaml",
    templates: ["rbac", "flow-schemas"],
    head: "Apply first: it holds the namespace.",
    before: NAMESPACE,
    args: FILES,
  },
  { file: "webhook-config/policy.yaml", templates: ["policy"], head: "Apply second.", args: FILES },
  {
    file: "webhook-config/service.yaml",
    templates: ["service", "deployment"],
    head: "Apply third, once the Secret paceline-tls is there (certs/README.md). Put your own image in.",
    args: FILES,
  },
  { file: "webhook-config/janitor.yaml", templates: ["janitor"], head: "Put your own image in.", args: FILES },
  {
    file: "webhook-config/webhooks.yaml",
    templates: ["webhooks"],
    head: `Apply last. Before, replace CA_BUNDLE with the base64 of the CA that signed the service's certificate (PEM), e.g.:
  sed "s|CA_BUNDLE|$(base64 -w0 < ca.crt)|" webhooks.yaml | kubectl apply -f -
Where the service runs outside the cluster, replace each \`service:\` block by \`url: https://HOST:PORT/<the same path>\`.`,
    args: FILES,
  },
  {
    file: "webhook-config/admission-policies.yaml",
    templates: ["admission-policies"],
    head: "Apply after the others. It holds everybody to what they may change: docs/security.md.",
    args: FILES,
  },
  {
    file: "scheduler-config/second-scheduler.yaml",
    templates: ["second-scheduler"],
    head: "Needs webhook-config/ applied before. Put your own images in.",
    args: [...FILES, ...["--set", "secondScheduler.enabled=true,secondScheduler.image=kube-scheduler:v1.36.3"]],
  },
  {
    file: "certs/cert-manager.yaml",
    templates: ["cert-manager"],
    head: "With cert-manager, instead of make-certs.ts. Annotate the webhook configurations for its CA injector:\n  cert-manager.io/inject-ca-from: paceline/paceline",
    args: ["--set", "certificates.mode=cert-manager"],
  },
  {
    file: "monitoring-config/monitoring.yaml",
    templates: ["monitoring"],
    head: "Needs the kinds of the Prometheus Operator. Add the labels by which your Prometheus selects: docs/monitoring.md.",
    args: [...FILES, ...["--set", "metrics.podMonitor.enabled=true,metrics.prometheusRule.enabled=true"]],
  },
];

const DEFAULTS_HEAD = `# values.yaml without its comments, by \`npm run manifests\`: templates take from here what a release's values lack.
`;

/** The dashboards' files, with their text; these need no Helm. */
export const dashboards: readonly (readonly [file: string, text: string])[] = boards.map((board) => [
  `charts/paceline/files/dashboards/${board.name}.json`,
  dashboardJson(board),
]);

/** Every file that is rendered from the chart, with its text. */
export async function renderManifests(helm: string): Promise<ReadonlyMap<string, string>> {
  const text = await readFile(join(CHART, "values.yaml"), "utf8");
  const keys = valueKeys(text);
  const schema: unknown = JSON.parse(await readFile(join(CHART, "values.schema.json"), "utf8"));
  const files = new Map([
    ["charts/paceline/files/defaults.yaml", `${DEFAULTS_HEAD}${stringify(parse(text))}`],
    ["charts/paceline/values.schema.json", await formatted("json", JSON.stringify(valuesSchema(schema, keys)))],
    ["charts/paceline/README.md", await formatted("markdown", chartReadme(keys))],
    ...dashboards,
  ]);
  for (const manifest of manifests) files.set(manifest.file, await renderOne(helm, manifest));
  const config = await readFile(join(CHART, "files/kube-scheduler-config.yaml"), "utf8");
  return files.set("scheduler-config/kube-scheduler-config.yaml", config);
}

async function formatted(parser: "json" | "markdown", text: string): Promise<string> {
  const options = await prettier.resolveConfig(join(CHART, "README.md"));
  return prettier.format(text, { ...options, parser, proseWrap: "always" });
}

async function renderOne(helm: string, { templates, head, before, args }: Manifest): Promise<string> {
  const only = templates.flatMap((name) => ["--show-only", `templates/${name}.yaml`]);
  const rendered = plain(await helmTemplate({ helm, args: [...args, ...only] }));
  const comment = [
    "Rendered from charts/paceline by `npm run manifests`; change the chart, not this file.",
    ...head.split("\n"),
  ];
  return [`${comment.map((line) => `# ${line}`).join("\n")}\n`, ...(before ? [before, "---\n"] : []), rendered].join(
    "",
  );
}

/** Removes what only Helm needs. */
function plain(text: string): string {
  return text
    .split("\n")
    .filter((line) => !/^# Source: |managed-by: Helm$/.test(line))
    .map((line) => line.trimEnd())
    .join("\n")
    .replace(/^(---\n)+/, "")
    .replace(/\n{3,}/g, "\n\n")
    .replace(/\n+$/, "\n");
}

/** The committed files that differ from what the chart renders. */
export async function drifted(helm: string): Promise<string[]> {
  const differing: string[] = [];
  for (const [file, text] of await renderManifests(helm)) {
    const committed = await readFile(join(ROOT, file), "utf8").catch(() => "");
    if (committed !== text) differing.push(file);
  }
  return differing;
}

async function main(): Promise<number> {
  const helm = await findHelm();
  if (process.argv.includes("--check")) {
    const files = await drifted(helm);
    for (const file of files) console.error(`${file} differs from the chart: npm run manifests`);
    return files.length > 0 ? 1 : 0;
  }
  for (const [file, text] of await renderManifests(helm)) await writeFile(join(ROOT, file), text);
  return 0;
}

if (import.meta.main) process.exitCode = await main();
