/** Builds that vitest runs once, before the tests that need them. */

/**
 * Runs `build`. Prints an error instead of throwing it: throwing would end the whole run, but tests that do not need
 * the build can run.
 */
export async function toldNotThrown(build: () => Promise<unknown>): Promise<void> {
  try {
    await build();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  }
}
