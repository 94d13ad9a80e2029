/** A lock between processes: a file that holds the owner's process id. An owner that died does not count. */
import { open, readFile, rm } from "node:fs/promises";
import { withProgress } from "../../src/cli/progress.ts";
import { startWatchdog } from "./watchdog.ts";

const RETRY_MS = 500;
/** A wait that is worth telling, ms. */
const TOLD_AFTER_MS = 2_000;

/**
 * Runs `work` while no other process runs under the same lock file; waits for its turn, and says so. The file goes with
 * us, in whatever way this process ends.
 */
export async function withFileLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  if (!(await acquired(path))) await untilAcquired(path);
  const watchdog = startWatchdog(path);
  try {
    return await work();
  } finally {
    watchdog.keep(); // from the next line on it may be somebody else's
    await rm(path, { force: true });
    await watchdog.close();
  }
}

function untilAcquired(path: string): Promise<void> {
  const poll = async () => {
    while (!(await acquired(path))) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  };
  return withProgress(`waiting for the process that holds ${path}`, poll, { quietForMs: TOLD_AFTER_MS });
}

async function acquired(path: string): Promise<boolean> {
  try {
    const file = await open(path, "wx");
    await file.writeFile(String(process.pid));
    await file.close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    if (await ownerDied(path)) await rm(path, { force: true });
    return false;
  }
}

/**
 * An empty file belongs to an owner between two system calls. If it stays empty, its owner died: the next look shows
 * it.
 */
async function ownerDied(path: string): Promise<boolean> {
  const pid = Number((await readFile(path, "utf8").catch(() => "")).trim());
  if (!pid) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}
