/** What bench/page.ts and its server tell each other. */

/** As the nodes' figures are read, ms. */
export const SAMPLE_EVERY_MS = 1_500;
/** Often enough that the page shows the plan's reasons, ms. */
export const PLAN_EVERY_MS = 5_000;

/** The size of the cluster. */
export interface PageOrder {
  readonly nodes: number;
  /** Bound and started. */
  readonly pods: number;
  readonly held: number;
}

export type PageTold =
  | { readonly kind: "listening"; readonly url: string }
  /** Since the start of the process, in µs. */
  | { readonly kind: "cpu"; readonly user: number; readonly system: number };
