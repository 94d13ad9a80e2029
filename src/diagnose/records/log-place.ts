/** Which pod, container and image a line of a log names, in the several forms of kubelet and container runtimes. */
import { reservedName, reservedSandbox } from "./reserved-name.ts";

const field = (line: string, pattern: RegExp) => pattern.exec(line)?.[1] ?? "";

/** The first of the patterns that matches, or "". */
function firstField(line: string, ...patterns: readonly RegExp[]): string {
  for (const pattern of patterns) {
    const found = field(line, pattern);
    if (found !== "") return found;
  }
  return "";
}

interface PodNamed {
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
}

/** Ways to name a pod, the surest first; what one leaves out another may tell. */
function podOf(line: string): PodNamed {
  const named = /\b(?:pods?|object)=[\\"]*\{?([\w.-]+\/[\w.-]+)/;
  const [namespace = "", pod = ""] = field(line, named).split("/");
  const uid = firstField(line, /\bpodUID=[\\"]*([\w-]+)/, /Error syncing pod ([0-9a-f-]{36})/);
  const told: readonly (PodNamed | undefined)[] = [
    { namespace, pod, uid },
    ...[kubeletsPod(line), reservedName(line), reservedSandbox(line), sandboxPod(line)],
  ];
  const first = (key: keyof PodNamed) => told.map((one) => one?.[key]).find((text) => text) ?? "";
  return { namespace: first("namespace"), pod: first("pod"), uid: first("uid") };
}

/** The kubelet's own short form: name_namespace(uid). */
function kubeletsPod(line: string): PodNamed | undefined {
  const [, pod, namespace, uid] = /([\w.-]+)_([\w-]+)\(([\w-]{8,})\)/.exec(line) ?? [];
  return pod === undefined ? undefined : { pod, namespace: namespace ?? "", uid: uid ?? "" };
}

/** containerd's form of a sandbox. */
function sandboxPod(line: string): PodNamed | undefined {
  const [, pod, uid, namespace] = /PodSandboxMetadata\{Name:([^,]*),Uid:([^,]*),Namespace:([^,]*),/.exec(line) ?? [];
  return pod === undefined ? undefined : { pod, namespace: namespace ?? "", uid: uid ?? "" };
}

/** All that the line names; "" for what it does not. */
export function placeOf(line: string) {
  const reserved = reservedName(line);
  const container = firstField(
    line,
    /\bcontainerName=[\\"]*([\w.-]+)/,
    /\bfieldPath=[\\"]*spec\.\w+\{([\w.-]+)\}/,
    /StartContainer[\\"]* for [\\"]+([\w.-]+)[\\"]+ with/,
    /ContainerMetadata\{Name:([^,]*),/,
    /&Container\{Name:([^,]*),/,
  );
  return {
    ...podOf(line),
    container: container || (reserved?.container ?? ""),
    attempt: reserved?.attempt ?? attemptOf(line),
    containerId: firstField(
      line,
      /StartContainer for \\*"([0-9a-f]{12,64})\\*"/,
      /\bcontainerID=[\\"]*(?:\w+:\/\/)?([0-9a-f]{12,64})/,
    ),
    image: firstField(
      line,
      /[Pp]ull(?:ing)? image \\*"([^"\\]+)/,
      /PullImage \\*"([^"\\]+)/,
      /\bimage=\\*"([^"\\]+)/,
      /&Container\{Name:[^,]*,Image:([^,]+),/,
    ),
  };
}

function attemptOf(line: string): number | undefined {
  const attempt = /ContainerMetadata\{Name:[^,]*,Attempt:(\d{1,9})/.exec(line)?.[1];
  return attempt === undefined ? undefined : Number(attempt);
}
