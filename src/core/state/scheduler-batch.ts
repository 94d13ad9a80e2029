/**
 * As many pods as kube-scheduler deals with within seconds: it binds 50 pods a second with its default client limit,
 * 700 at best, and looks at one in 1.5 ms (scheduler_perf). So no more released pods than these wait for it at a time,
 * a longer queue of untried pods means that it is behind, and no lifted fence makes it try more of them in vain.
 */
export const SCHEDULER_BATCH = 500;

/**
 * A kube-scheduler that keeps up has looked at a new pod within this, ms. An untried pod that has waited for longer
 * means that it is behind, and a node that has opened keeps its fence for as long though no pod seems to wait for it.
 * Assumed.
 */
export const SCHEDULER_LOOKS_MS = 5_000;
