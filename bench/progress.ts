/** One line that overwrites itself, on a terminal only: elsewhere it would fill the log. */

/** Shows what is going on; an empty text clears the line. */
export function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K${text}`);
}

/**
 * Runs `work` for 0 to `count` - 1 with so many at a time, and shows how far it is.
 * @throws what `work` throws, once those that have begun have ended
 */
export async function forEachOf(
  what: string,
  { count, atATime }: { readonly count: number; readonly atATime: number },
  work: (index: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) {
      const index = next++;
      await work(index);
      if (index % 100 === 0) showProgress(`${what}: ${index} of ${count}`);
    }
  };
  await Promise.all(Array.from({ length: atATime }, lane));
  showProgress("");
}
