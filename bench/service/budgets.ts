/** Budgets (docs/budgets.md) that several parts of this bench measure. */
export const BUDGETS = {
  /** From a slot coming free to the next pod's release. */
  releaseP99Ms: 100,
  /** Resident memory of `serve` at 5,000 nodes and 150,000 pods. */
  rssMib: 512,
  /** First sync at that size. */
  syncSeconds: 30,
} as const;
