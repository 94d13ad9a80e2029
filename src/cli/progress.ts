/** One line that overwrites itself. On a terminal only: in a file it would fill the log. */

/** Shows what is going on; an empty text clears the line. */
export function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K${text}`);
}
