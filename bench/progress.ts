/** Progress of what a bench repeats thousands of times. */
import { type Tell, withProgress } from "../src/cli/progress.ts";

export { type Tell, withProgress };

/**
 * Runs `work` for 0 to `count` - 1, at most `atATime` at the same time, and shows the progress.
 * @throws the error of `work`, after all that have begun have ended
 */
export function forEachOf(
  what: string,
  { count, atATime }: { readonly count: number; readonly atATime: number },
  work: (index: number) => Promise<void>,
): Promise<void> {
  return withProgress(what, async (tell) => {
    let next = 0;
    const lane = async () => {
      while (next < count) {
        const index = next++;
        await work(index);
        if (index % 100 === 0) tell(`${index} of ${count}`);
      }
    };
    await Promise.all(Array.from({ length: atATime }, lane));
  });
}
