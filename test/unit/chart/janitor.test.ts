/** What the janitor's pod may do to others, as the plain manifests have it (a chart test holds them to the chart). */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { expect, it } from "vitest";

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly namespace?: string };
  readonly spec: { template: PodTemplate; jobTemplate: { spec: { template: PodTemplate } } };
}
interface PodTemplate {
  readonly metadata: { labels: Record<string, string> };
  readonly spec: { priorityClassName?: string; affinity?: unknown };
}

async function manifest(file: string, kind: string): Promise<Manifest> {
  const text = await readFile(join(import.meta.dirname, "../../../webhook-config", file), "utf8");
  const all = parseAllDocuments(text).map((one) => one.toJS() as Manifest);
  const found = all.find((one) => one.kind === kind);
  if (!found) throw new Error(`${file} has no ${kind}`);
  return found;
}

const { template: janitor } = (await manifest("janitor.yaml", "CronJob")).spec.jobTemplate.spec;
const { template: serve } = (await manifest("service.yaml", "Deployment")).spec;

it("the janitor evicts no pod: it has an ordinary priority, the service a high one", () => {
  expect(janitor.spec.priorityClassName).toBeUndefined();
  expect(serve.spec.priorityClassName).toBe("system-cluster-critical");
});

it("the janitor prefers nodes of the service's pods, which have the image: it pulls none in the middle of a herd", () => {
  const { podAffinity } = janitor.spec.affinity as {
    podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: { podAffinityTerm: Term }[] };
  };
  const [first] = podAffinity.preferredDuringSchedulingIgnoredDuringExecution;
  expect(first?.podAffinityTerm.topologyKey).toBe("kubernetes.io/hostname");
  expect(serve.metadata.labels).toMatchObject(first?.podAffinityTerm.labelSelector.matchLabels ?? { none: "" });
  expect(janitor.metadata.labels, "not its own nodes").not.toMatchObject(
    first?.podAffinityTerm.labelSelector.matchLabels ?? {},
  );
});

interface Term {
  readonly topologyKey: string;
  readonly labelSelector: { matchLabels: Record<string, string> };
}
