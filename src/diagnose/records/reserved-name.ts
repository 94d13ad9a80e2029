/** Names of one attempt of a container or sandbox, as the runtimes make them of pod, namespace, uid and attempt. */

export interface ReservedName {
  readonly container: string;
  readonly pod: string;
  readonly namespace: string;
  readonly uid: string;
  readonly attempt: number | undefined;
}

/** containerd: `container_pod_namespace_uid_attempt`; CRI-O and docker put `k8s_` before it. */
const CONTAINER = /(?:reserve container name|reserving ctr name|container name) \\*"?\/?(?:k8s_)?([^"\\\s:]+)/;
/** containerd: `pod_namespace_uid_attempt`; CRI-O: `k8s_pod_namespace_uid_attempt`. */
const SANDBOX = /(?:reserve sandbox name|reserving pod name) \\*"?(?:k8s_)?([^"\\\s:]+)/;

/** The container's name that a text says could not be reserved. */
export function reservedName(text: string): ReservedName | undefined {
  return nameOf(CONTAINER.exec(text)?.[1]?.split("_") ?? []);
}

/** The sandbox's name that a text says could not be reserved; it has no container. */
export function reservedSandbox(text: string): ReservedName | undefined {
  const parts = SANDBOX.exec(text)?.[1]?.split("_") ?? [];
  const name = nameOf(["", ...parts]);
  return name && { ...name, attempt: undefined };
}

function nameOf(parts: readonly string[]): ReservedName | undefined {
  const [container = "", pod = "", namespace = "", uid = "", attempt = ""] = parts;
  if (parts.length !== 5 || !/^\d{1,9}$/.test(attempt)) return undefined;
  return { container, pod, namespace, uid, attempt: Number(attempt) };
}
