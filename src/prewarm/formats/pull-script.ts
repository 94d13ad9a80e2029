/** The shell script that pulls into a node's containerd. Bash 4.2 (Amazon Linux 2) or later. */
import { ECR_HOST } from "./ecr.ts";
import { type FormatOptions, headline, pinned, type PrewarmList } from "./prewarm-list.ts";

/**
 * Output: a script that ends within `timeoutSeconds` (and a few seconds for the last step), whatever happens, with
 * exit code 0: fails open, since a node without images is better than no node. `PREWARM_STRICT=1` makes it fail closed,
 * for the build of a machine image.
 *
 * - What is pulled by digest also gets its tag, because the kubelet asks containerd by the name that the pod has.
 * - `ctr` downloads, and containerd itself writes: so both get idle I/O priority, and containerd gets its own back.
 *   Schedulers of the kernel that know no priority (`none`, the default of NVMe) ignore it.
 * - ECR's password goes to `ctr` in a file that only root can read, since all users of the node see arguments.
 *   containerd's client leaves it out where ECR sends it to another host (S3). Where the node's hosts.toml names
 *   another server, that would get it: so `ctr` then gets none (fails open), nor where there is a header already.
 */
export function pullScript(list: PrewarmList, { parallel, timeoutSeconds }: Omit<FormatOptions, "withPart">): string {
  const lines = list.images.map((image) => `${pinned(image)} ${image.ref}`);
  return `#!/usr/bin/env bash
# ${headline(list)}
# Pulls before the kubelet starts. The node joins at most ${timeoutSeconds} s later, whether or not all is there.
# Functions run through xargs, which shellcheck does not see.
# shellcheck disable=SC2317
set -u

export images='
${lines.join("\n")}
'
export parallel=${parallel}
readonly seconds=${timeoutSeconds}
export hosts_dir="\${PREWARM_HOSTS_DIR:-/etc/containerd/certs.d}"
export CONTAINERD_ADDRESS="\${CONTAINERD_ADDRESS:-/run/containerd/containerd.sock}"
${FUNCTIONS}
failures="$(mktemp)" && export failures
private="$(mktemp -d -p /run || mktemp -d)" && export private
snapshotter="$(grep -oE '^[[:space:]]*snapshotter[[:space:]]*=[^#]*' /etc/containerd/config.toml 2>/dev/null |
  tr -dc '[:alnum:]=\\n' | sed -n '1s/.*=//p')"
export snapshotter="\${snapshotter:-overlayfs}"
export -f say idle credentials settings pull pull_all
if start_containerd; then
  pid="\${PREWARM_CONTAINERD_PID:-$(systemctl show --property MainPID containerd 2>/dev/null)}"
  pid="\${pid#MainPID=}"
  daemon_priority 3 "$pid"
  # KILL reaches the whole group, also what would not end by TERM: nothing pulls on beside the kubelet.
  timeout --signal=KILL "$((seconds > SECONDS ? seconds - SECONDS : 1))" bash -c pull_all
  status=$?
  daemon_priority 0 "$pid"
  if [ "$status" -ge 124 ]; then
    say "stopped after $seconds s; the kubelet pulls what is missing"
    echo timeout >>"$failures"
  fi
else
  say "containerd does not run; the kubelet pulls all images"
  echo containerd >>"$failures"
fi
rm -rf "$private"
if [ "\${PREWARM_STRICT:-0}" = 1 ] && [ -s "$failures" ]; then
  rm -f "$failures"
  exit 1
fi
rm -f "$failures"
exit 0
`;
}

/** The part that is the same for every list. */
const FUNCTIONS = `
say() { echo "prewarm: $*"; }

# Lowest I/O priority, where there is ionice.
idle() {
  if command -v ionice >/dev/null; then ionice -c 3 -t "$@"; else "$@"; fi
}

# I/O class of each thread of containerd: 3 is idle, 0 is its own.
daemon_priority() {
  local class="$1" pid="$2" task
  [ "\${pid:-0}" != 0 ] && command -v ionice >/dev/null || return 0
  for task in /proc/"$pid"/task/*; do ionice -c "$class" -p "\${task##*/}" 2>/dev/null; done
  return 0
}

# Prints user:password for ECR, and nothing for others: most want a token, which a fixed header is not.
credentials() {
  local password ecr='${ECR_HOST}'
  if [[ "$1" =~ $ecr ]]; then
    if password="$(timeout --foreground 60 aws ecr get-login-password --region "\${BASH_REMATCH[2]}")"; then
      echo "AWS:$password"
    else
      say "no password for $1: does the instance's role have AmazonEC2ContainerRegistryPullOnly?" >&2
    fi
  fi
}

# Prints the folder of hosts.toml files: where there is a password for the registry, a copy only for root, with it.
settings() {
  local registry="$1" user own file host header ours
  user="$(credentials "$registry")"
  if [ -z "$user" ] || ! own="$(mktemp -d -p "$private")"; then
    echo "$hosts_dir"
    return
  fi
  file="$own/$registry/hosts.toml"
  mkdir "$own/$registry"
  cp -rL "$hosts_dir/$registry/." "$own/$registry" 2>/dev/null ||
    cp -rL "$hosts_dir/_default/." "$own/$registry" 2>/dev/null
  # Another server would get the password, and there can be only one header. What is in doubt counts as that.
  ours="^[[:space:]]*server[[:space:]]*=[[:space:]]*[\\"'](https://)?\${registry}[/\\"']"
  if grep -isE "^[[:space:]]*\\[?[[:space:]]*[\\"']?(server|header)" "$file" | grep -qvE "$ours"; then
    say "no password for $registry: its hosts.toml has a server or header of its own" >&2
    echo "$hosts_dir"
    return
  fi
  header="authorization = [\\"Basic $(printf %s "$user" | base64 -w 0)\\"]"
  # For the registry itself, and for none of its mirrors. containerd 1.6 reads no file without a host.
  if grep -qs '^[[:space:]]*\\[host' "$file"; then
    printf '\\n[header]\\n%s\\n' "$header" >>"$file"
  else
    host="[host.\\"https://$registry\\""
    printf '\\n%s]\\ncapabilities = ["pull", "resolve"]\\n%s.header]\\n%s\\n' "$host" "$host" "$header" >>"$file"
  fi
  echo "$own"
}

# Pulls what the first argument names, and gives it the second name.
pull() {
  local source="$1" name="$2" began="$SECONDS" hosts
  hosts="$(settings "\${name%%/*}")"
  if idle ctr -n k8s.io images pull --hosts-dir "$hosts" --snapshotter "$snapshotter" "$source" >/dev/null &&
    { [ "$source" = "$name" ] || ctr -n k8s.io images tag --force "$source" "$name" >/dev/null; }; then
    say "pulled $name in $((SECONDS - began)) s"
  else
    say "could not pull $name (after $((SECONDS - began)) s)"
    echo "$name" >>"$failures"
  fi
}

pull_all() {
  # Each line of the list is two arguments of pull, which bash gets as "$@".
  # shellcheck disable=SC2016
  xargs -r -P "$parallel" -n 2 bash -c 'pull "$@"' pull <<<"$images"
}

answers() {
  [ -S "$CONTAINERD_ADDRESS" ] && timeout 2 ctr version >/dev/null 2>&1
}

start_containerd() {
  local tries
  answers && return 0
  timeout "$seconds" systemctl start containerd 2>/dev/null
  for tries in 1 2 3 4 5 6 7 8 9 10; do
    answers && return 0
    [ "$SECONDS" -lt "$seconds" ] || return 1
    say "waiting for containerd ($tries)"
    sleep 1
  done
  return 1
}
`;
