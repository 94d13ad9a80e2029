/** Connections and credentials of a source. Files are read again and again, so certificates and secrets can rotate. */
import { readFile } from "node:fs/promises";
import { Agent } from "undici";

/** TLS settings for an exporter, as in the policy. */
export interface SourceTls {
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
  readonly serverName?: string;
  readonly insecureSkipVerify: boolean;
}

export interface AccessSettings {
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly tls?: SourceTls;
  readonly bearerTokenFile?: string;
  readonly basicAuth?: { readonly username: string; readonly passwordFile: string };
}

export interface Access {
  readonly agent: Agent;
  readonly headers: Readonly<Record<string, string>>;
}

/** Gives access, one round after another. */
export interface AccessKeeper {
  /**
   * The connections, and the headers with the credentials. The files are read at most once in an interval.
   * @throws when a file cannot be read
   */
  open(): Promise<Access>;
  /** Cuts all connections. */
  close(): Promise<void>;
}

/** Idle connections are kept for so many intervals, and for at least so many ms. Servers usually keep them longer. */
const KEPT_INTERVALS = 4;
const KEPT_MS = 5_000;

const readOptional = async (file: string | undefined) =>
  file === undefined ? undefined : await readFile(file, "utf8");

/** Keeps one connection for each server. Opens and reads nothing before `open`. */
export function createAccess(settings: AccessSettings, steadyNow: () => number): AccessKeeper {
  let current: { readonly key: string; readonly agent: Agent } | undefined;
  let opened: { readonly atMs: number; readonly access: Promise<Access> } | undefined;
  let closed = false;
  const read = async (): Promise<Access> => {
    const [headers, certificates] = await Promise.all([authorization(settings), readCertificates(settings.tls)]);
    // Otherwise connections made now would outlive their source.
    if (closed) throw new Error("the source was stopped");
    const key = JSON.stringify(certificates);
    if (current?.key !== key) {
      // Requests on the old connections may end; this does not wait for them.
      void current?.agent.close().catch(() => undefined);
      current = { key, agent: createAgent(settings, certificates) };
    }
    return { agent: current.agent, headers };
  };
  return {
    open() {
      const nowMs = steadyNow();
      if (opened === undefined || nowMs - opened.atMs >= settings.intervalMs) {
        const access = read();
        opened = { atMs: nowMs, access };
        // A file that cannot be read now may exist at the next request.
        access.catch(() => (opened = undefined));
      }
      return opened.access;
    },
    async close() {
      closed = true;
      await current?.agent.destroy();
    },
  };
}

type Certificates = Awaited<ReturnType<typeof readCertificates>>;

async function readCertificates(tls: SourceTls | undefined) {
  const [ca, cert, key] = await Promise.all([tls?.caFile, tls?.certFile, tls?.keyFile].map(readOptional));
  return { ...(ca !== undefined && { ca }), ...(cert !== undefined && { cert }), ...(key !== undefined && { key }) };
}

function createAgent({ tls, timeoutMs, intervalMs }: AccessSettings, certificates: Certificates): Agent {
  return new Agent({
    connections: 1,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: Math.max(KEPT_MS, KEPT_INTERVALS * intervalMs),
    connect: {
      timeout: timeoutMs,
      rejectUnauthorized: tls?.insecureSkipVerify !== true,
      ...certificates,
      ...(tls?.serverName !== undefined && { servername: tls.serverName }),
    },
  });
}

/** The header that the policy's token or password asks for. */
async function authorization({ bearerTokenFile, basicAuth }: AccessSettings): Promise<Record<string, string>> {
  const token = await readOptional(bearerTokenFile);
  if (token !== undefined) return { authorization: `Bearer ${token.trim()}` };
  const password = await readOptional(basicAuth?.passwordFile);
  if (basicAuth === undefined || password === undefined) return {};
  // Editors end a file with a newline, which is not part of the password.
  const pair = Buffer.from(`${basicAuth.username}:${password.replace(/\r?\n$/, "")}`).toString("base64");
  return { authorization: `Basic ${pair}` };
}
