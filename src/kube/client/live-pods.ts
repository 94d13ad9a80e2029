/** Which pods are listed and watched. */

/** Terminated pods start nothing and use no slot. In a batch cluster most pods have terminated. */
export const LIVE_PODS = { fieldSelector: "status.phase!=Succeeded,status.phase!=Failed" };
