/** Wrong usage or unusable input. Exit code 2; the message names the place and the cure. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
