/** kube-scheduler's active queue: higher priority first, then the pod that entered first. */
import type { SimPod } from "./pod.ts";

const before = (a: SimPod, b: SimPod): boolean => {
  const [x, y] = [a.workload.spec.priority, b.workload.spec.priority];
  return x > y || (x === y && (a.queuedMs < b.queuedMs || (a.queuedMs === b.queuedMs && a.order < b.order)));
};

export class PodHeap {
  readonly #heap: SimPod[] = [];

  get size(): number {
    return this.#heap.length;
  }

  push(pod: SimPod): void {
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up] as SimPod;
      if (!before(pod, parent)) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = pod;
  }

  pop(): SimPod | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    const count = heap.length;
    if (last === undefined || count === 0) return first;
    let at = 0;
    for (;;) {
      let down = 2 * at + 1;
      if (down >= count) break;
      if (down + 1 < count && before(heap[down + 1] as SimPod, heap[down] as SimPod)) down += 1;
      const child = heap[down] as SimPod;
      if (!before(child, last)) break;
      heap[at] = child;
      at = down;
    }
    heap[at] = last;
    return first;
  }
}
