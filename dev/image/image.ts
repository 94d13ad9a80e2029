/** A built image as a container runs it: its file system, user, folder, environment and entry point. */
import type { Buildah } from "./buildah.ts";
import type { Run } from "./programs.ts";

interface Config {
  readonly User: string;
  readonly Env: readonly string[];
  readonly Entrypoint: readonly string[];
  readonly WorkingDir: string;
}

export interface Image {
  readonly uid: number;
  readonly gid: number;
  /** Runs its entry point with these words. @returns what it printed */
  run(words: readonly string[]): Promise<string>;
  /**
   * The command that starts its entry point with these words, in a mount namespace of its own; the process keeps its
   * id. @param files a folder that it sees at the same path
   */
  command(words: readonly string[], files: string): readonly [program: string, args: readonly string[]];
}

/** `$1` container, `$2` folder to show, or empty, `$3` uid, `$4` gid, `$5` folder to be in; then environment, words. */
const ENTER = (storage: readonly string[]) => `
set -eu
root=$(buildah ${storage.map(quoted).join(" ")} mount "$1")
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
if [ -n "$2" ]; then
  mkdir -p "$root$2"
  mount --bind "$2" "$root$2"
fi
uid=$3 gid=$4 folder=$5
shift 5
exec unshare --root="$root" --wd="$folder" --setgid="$gid" --setuid="$uid" -- env -i "$@"
`;
const quoted = (word: string) => `'${word.replaceAll("'", `'\\''`)}'`;

/** @throws if the image has no numeric user */
export async function imageOf(buildah: Buildah, run: Run, name: string): Promise<Image> {
  const { OCIv1 } = JSON.parse(await buildah.run(["inspect", "--type", "image", name])) as {
    OCIv1: { config: Config };
  };
  const { User, Env, Entrypoint, WorkingDir } = OCIv1.config;
  const [, uid, gid] = /^(\d+):(\d+)$/.exec(User) ?? [];
  if (uid === undefined || gid === undefined) throw new Error(`the image's user is "${User}": not two numbers`);
  const container = await buildah.run(["from", name]);
  const shell = (words: readonly string[], files: string) => {
    const where = [container, files, uid, gid, WorkingDir];
    return ["-c", ENTER(buildah.storage), "enter", ...where, ...Env, ...Entrypoint, ...words];
  };
  return {
    uid: Number(uid),
    gid: Number(gid),
    run: (words) => run("sh", shell(words, "")),
    command: (words, files) => ["unshare", ["--mount", "--", "sh", ...shell(words, files)]],
  };
}
