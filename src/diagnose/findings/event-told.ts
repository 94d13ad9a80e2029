/** What an Event says, from whichever source: "" for what is not told. */
export interface EventTold {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  /** Epoch ms. */
  readonly atMs: number;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly container: string;
  readonly node: string;
}
