/** Users of the API server with static bearer tokens (`--token-auth-file`), and their kubeconfigs. */
import { randomBytes } from "node:crypto";
import { stringify } from "yaml";

/** A user known by token. RBAC decides what it may do: by its `groups`, or by bindings made to its `name`. */
export interface TokenUser {
  readonly name: string;
  readonly groups?: readonly string[];
  readonly uid?: string;
  readonly token: string;
  /** True if the audit log has this user's reads, too; other users' reads are left out. */
  readonly auditReads?: boolean;
}

/**
 * The users every control plane has: an administrator, and the scheduler and controller manager under their real names.
 */
export function standardUsers(): { admin: TokenUser; scheduler: TokenUser; controllerManager: TokenUser } {
  return {
    admin: { name: "admin", groups: ["system:masters"], token: newToken() },
    scheduler: { name: "system:kube-scheduler", token: newToken() },
    controllerManager: { name: "system:kube-controller-manager", token: newToken() },
  };
}

/** A random token that cannot be guessed. */
export function newToken(): string {
  return randomBytes(24).toString("base64url");
}

/**
 * The content of a `--token-auth-file`: CSV with token, name, uid, groups. @throws on a quote or line break in a field.
 */
export function tokenFile(users: readonly TokenUser[]): string {
  return users
    .map(({ token, name, uid, groups }) => [token, name, uid ?? name, (groups ?? []).join(",")].map(quoted).join(","))
    .join("\n");
}

function quoted(field: string): string {
  if (/["\r\n]/.test(field)) throw new Error(`a token user's field holds a quote or a line break: ${field}`);
  return `"${field}"`;
}

/** A kubeconfig for one user. `caCert` is PEM. */
export function makeKubeconfig(options: { url: string; caCert: string; user: TokenUser }): string {
  const { url, caCert, user } = options;
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name: "paceline-dev",
        cluster: { server: url, "certificate-authority-data": Buffer.from(caCert).toString("base64") },
      },
    ],
    users: [{ name: user.name, user: { token: user.token } }],
    contexts: [{ name: "paceline-dev", context: { cluster: "paceline-dev", user: user.name } }],
    "current-context": "paceline-dev",
  });
}
