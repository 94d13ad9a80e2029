/** The rules that one resource has beyond those of every object. */
import type { Json } from "../json.ts";
import type { Cause } from "../refusals.ts";

export interface RuleContext {
  readonly nowMs: number;
  /** Priorities by the name of their PriorityClass. */
  readonly priorityClasses: Readonly<Record<string, number>>;
  /** Labels of a node that its pods get (admission plug-in PodTopologyLabels). */
  readonly topologyOf: (node: string) => Readonly<Record<string, string>>;
}

/** Every function may change the object that is being written, never the old one. */
export interface Rules {
  /** Defaults and the API server's own admission plug-ins, before webhooks. */
  fillIn(object: Json, old: Readonly<Json> | undefined, context: RuleContext): void;
  /** After webhooks: fields that clients cannot set on create. */
  prepareCreate(object: Json, context: RuleContext): void;
  createCauses(object: Readonly<Json>): readonly Cause[];
  /** After webhooks: fields that clients cannot set on update. */
  prepareUpdate(object: Json, old: Readonly<Json>): void;
  updateCauses(object: Readonly<Json>, old: Readonly<Json>): readonly Cause[];
  /** The same for `/status`. */
  prepareStatus(object: Json, old: Readonly<Json>): void;
}
