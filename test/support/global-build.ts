/** What vitest builds once, before the tests that need it. */

/** Runs `build`. An error is told and not thrown: it would end the whole run, and the tests that need nothing can run. */
export async function toldNotThrown(build: () => Promise<unknown>): Promise<void> {
  try {
    await build();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  }
}
