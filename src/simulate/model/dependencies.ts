/** Which workloads have had a Ready pod, for init containers that wait for one. */
export class Dependencies {
  readonly #ready = new Set<string>();
  readonly #waiting = new Map<string, (() => void)[]>();

  /** Calls back once a pod of the workload has been Ready; at once if one has been. */
  whenReady(workload: string, then: () => void): void {
    if (this.#ready.has(workload)) then();
    else this.#waiting.set(workload, [...(this.#waiting.get(workload) ?? []), then]);
  }

  /** A pod of the workload is Ready. */
  ready(workload: string): void {
    this.#ready.add(workload);
    const waiting = this.#waiting.get(workload) ?? [];
    this.#waiting.delete(workload);
    for (const then of waiting) then();
  }
}
