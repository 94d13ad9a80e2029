/** Milliseconds of a second, bytes of a MiB, millicores of a core. */
export const SECOND_MS = 1_000;
export const MIB = 1_048_576;
export const MILLICORES = 1_000;
