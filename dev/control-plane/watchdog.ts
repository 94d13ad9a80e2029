/**
 * A shell that outlives this process for a moment. It gets every child's process group over a pipe. When the pipe
 * closes for any reason (exit, crash, SIGKILL), it ends the remaining groups and removes the folder. A handler in this
 * process could not guarantee that, because SIGKILL cannot be handled. It works for any program, ours or one found on
 * PATH.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { Socket } from "node:net";

export interface Watchdog {
  /** From now on the process group `pid` ends with us. */
  guard(pid: number): void;
  /** The process group `pid` is gone, and another program may get its number. */
  forget(pid: number): void;
  /** From now on the folder, or file, stays. */
  keep(): void;
  /** Ends what is guarded still, removes the folder, and resolves when that is done. */
  close(): Promise<void>;
}

/**
 * Plain POSIX (`kill -KILL -- -1` is not, and dash refuses it). `$1`: the folder to remove, or empty to keep it. A
 * killed process may need a moment to close its files.
 */
const script = `
groups=" "
folder=$1
while read -r verb pid; do
  case "$verb" in
    guard) groups="$groups$pid " ;;
    keep) folder= ;;
    forget) groups="\${groups%% $pid *} \${groups#* $pid }" ;;
  esac
done
for pid in $groups; do kill -s KILL -- "-$pid" 2>/dev/null; done
[ -z "$folder" ] && exit 0
for attempt in 1 2 3 4 5 6 7 8 9 10; do
  rm -rf -- "$folder" 2>/dev/null && exit 0
  sleep 0.1
done
`;

/** Starts a watchdog. @param folder or file, removed at the end, unless undefined. */
export function startWatchdog(folder: string | undefined): Watchdog {
  const shell = spawn("/bin/sh", ["-c", script, "paceline-watchdog", folder ?? ""], {
    detached: true, // a Ctrl-C in the terminal must not reach it
    stdio: ["pipe", "ignore", "ignore"],
  });
  shell.stdin.on("error", () => undefined); // the shell has ended already, so nothing needs to be sent
  const ended = once(shell, "exit");
  letUsExit(shell);
  return {
    guard: (pid) => void shell.stdin.write(`guard ${pid}\n`),
    forget: (pid) => void shell.stdin.write(`forget ${pid}\n`),
    keep: () => void shell.stdin.write("keep\n"),
    close: async () => {
      shell.ref();
      shell.stdin.end();
      await ended;
    },
  };
}

/** The watchdog must not keep this process alive: it waits for us, not we for it. */
function letUsExit(shell: ChildProcess): void {
  shell.unref();
  if (shell.stdin instanceof Socket) shell.stdin.unref(); // a pipe to a child is a Socket
}
