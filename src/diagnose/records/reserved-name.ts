/** containerd's name of one attempt of a container: `container_pod_namespace_uid_attempt`. */

export interface ReservedName {
  readonly container: string;
  readonly pod: string;
  readonly namespace: string;
  readonly uid: string;
  readonly attempt: number;
}

/** The name that a text says could not be reserved. */
export function reservedName(text: string): ReservedName | undefined {
  const name = /reserve container name \\*"([^"\\]+)/.exec(text)?.[1];
  const parts = name?.split("_") ?? [];
  const [container, pod, namespace, uid, attempt] = parts;
  if (parts.length !== 5 || !/^\d{1,9}$/.test(attempt ?? "")) return undefined;
  return {
    container: container ?? "",
    pod: pod ?? "",
    namespace: namespace ?? "",
    uid: uid ?? "",
    attempt: Number(attempt),
  };
}
