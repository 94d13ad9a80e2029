/** Kubernetes' LabelSelector, as far as policies use it. */
import * as z from "zod";
import type { DeepReadonly } from "./frozen.ts";
import { section } from "./section.ts";

const LABEL_KEY = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

const LabelKey = z
  .string()
  .regex(LABEL_KEY, "is not a label key; write name or prefix/name, such as node.kubernetes.io/instance-type")
  .describe("Label key.");
const LabelValue = z
  .string()
  .regex(
    LABEL_VALUE,
    "is not a label value; use at most 63 letters, digits, '-', '_' or '.', a letter or digit at both ends",
  );

const SetRequirement = section({
  key: LabelKey,
  operator: z.enum(["In", "NotIn"]).describe("compare with values, and NotIn also holds where the label is absent."),
  values: z
    .array(LabelValue)
    .min(1, "is empty; list at least one value, or use Exists")
    .describe("Values to compare with, for In and NotIn only."),
});
const PresenceRequirement = section({
  key: LabelKey,
  operator: z.enum(["Exists", "DoesNotExist"]).describe("take no values."),
});

/** Selects objects by their labels: all of matchLabels and all of matchExpressions must hold. */
export const LabelSelector = section({
  matchLabels: z.record(LabelKey, LabelValue).exactOptional().describe("Labels that must have exactly these values."),
  matchExpressions: z
    .array(z.discriminatedUnion("operator", [SetRequirement, PresenceRequirement]))
    .exactOptional()
    .describe("Requirements that must all hold."),
}).meta({ id: "LabelSelector" });
export type LabelSelector = DeepReadonly<z.output<typeof LabelSelector>>;
export type LabelRequirement = NonNullable<LabelSelector["matchExpressions"]>[number];

/** True if a selector, which may still be malformed, has no requirement and so selects everything. */
export function selectsEverything(selector: unknown): boolean {
  return (
    isMapping(selector) && Object.values(selector).every((part) => isMapping(part) && Object.keys(part).length === 0)
  );
}

/** True for a map or a list. */
function isMapping(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
