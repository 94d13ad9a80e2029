/** What a user says of nodes, kubelets and images that no recording tells: `--disk` and `--class FILE`. */
import { parse } from "yaml";
import * as z from "zod";
import type { DeepReadonly } from "../policy/frozen.ts";
import { messageOf } from "../policy/messages.ts";
import { section } from "../policy/section.ts";
import { pathText } from "../policy/yaml-position.ts";
import { Disk } from "../simulate/scenario/nodes.ts";
import { Kubelet, Registry, Runtime } from "../simulate/scenario/schema.ts";

const NodeClass = section({
  disk: Disk.exactOptional(),
  cpu: z.number().min(0.1).max(1_024).exactOptional(),
  memoryGib: z.number().min(0.5).max(24_576).exactOptional(),
});

const Images = section({
  layers: z.int().min(1).max(127).exactOptional(),
  compressedRatio: z.number().min(0.01).max(1).exactOptional(),
});

/** The schema of a class file; every key may be left out. */
const Machines = section({
  /** By instance type; `default` is for those that are not named. */
  nodes: z.record(z.string(), NodeClass).default({}),
  kubelet: Kubelet.exactOptional(),
  runtime: Runtime.exactOptional(),
  registry: Registry.exactOptional(),
  images: Images.exactOptional(),
});

export type Machines = DeepReadonly<z.output<typeof Machines>>;
export type MachinesResult =
  { readonly ok: true; readonly machines: Machines } | { readonly ok: false; readonly errors: readonly string[] };

/** Nothing is said. */
export const noMachines: Machines = { nodes: {} };

/** Reads a class file (YAML or JSON). Never throws; each error names its place. */
export function parseMachines(text: string): MachinesResult {
  let value: unknown;
  try {
    value = parse(text) ?? {};
  } catch (cause) {
    return { ok: false, errors: [`is not valid YAML: ${(cause as Error).message}`] };
  }
  const parsed = Machines.safeParse(value, { error: messageOf, reportInput: true });
  if (parsed.success) return { ok: true, machines: parsed.data };
  return { ok: false, errors: parsed.error.issues.map(({ path, message }) => `${pathText(path)}: ${message}`) };
}
