/** What happens when the reader of our output has gone, as `head` does once it has enough. */

/** What a shell tells of a program that SIGPIPE ended: 128 + 13. Node ignores the signal and gives an error instead. */
const ENDED_BY_SIGPIPE = 141;

/**
 * From now on, output that nothing reads ends this process quietly, and messages that nothing reads are dropped: the
 * result is still wanted then. Any other failed write ends it with a sentence.
 */
export function endQuietlyWhenUnread(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") process.stderr.write(`paceline: the output cannot be written: ${error.message}\n`);
    process.exit(error.code === "EPIPE" ? ENDED_BY_SIGPIPE : 2);
  });
  process.stderr.on("error", () => undefined);
}
