/** What a reader hands over besides failures, for what rebuilds a herd of it (src/recording). */
import type { Json } from "../json.ts";
import type { EventTold } from "./event-told.ts";

/** A request that an audit log has and that was not refused; "" for what it does not tell. */
export interface Audited {
  readonly verb: string;
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly user: string;
  readonly request: Json;
  readonly response: Json;
  /** When the API server received it, epoch ms. */
  readonly atMs: number;
}

export interface ObjectSink {
  /** Whether a further status of this pod (`namespace/name`) can tell anything: the fast path leaves others out. */
  wantsStatus(podKey: string): boolean;
  /** The same of a node's status that was written at `atMs`. */
  wantsNode(name: string, atMs: number | undefined): boolean;
  audited(request: Audited): void;
  /** An object as kubectl prints it; `atMs` is when it was so, as far as it tells. */
  pod(object: Json, atMs: number): void;
  node(object: Json): void;
  event(told: EventTold): void;
}
