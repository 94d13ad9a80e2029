/** Milliseconds of a second, bytes of a MiB. */
export const SECOND_MS = 1_000;
export const MIB = 1_048_576;
