/** Which pods are listed and watched. */

/** Pods that have run to their end start nothing and hold no slot; most of a batch cluster's pods are such. */
export const LIVE_PODS = { fieldSelector: "status.phase!=Succeeded,status.phase!=Failed" };
