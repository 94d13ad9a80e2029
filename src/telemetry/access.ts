/** Connections and credentials of a source. Files are read anew, so that certificates, tokens and passwords can rotate. */
import { readFile } from "node:fs/promises";
import { Agent } from "undici";

/** How to speak TLS with an exporter, as in the policy. */
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

/** Opens access for one round after another. */
export interface AccessKeeper {
  /**
   * The connections, and the headers that say who we are; the files are read once per interval at most.
   * @throws when a file cannot be read
   */
  open(): Promise<Access>;
  /** Cuts all connections. */
  close(): Promise<void>;
}

/** Idle connections are kept for so many intervals, and for so many ms at least; servers usually keep them longer. */
const KEPT_INTERVALS = 4;
const KEPT_MS = 5_000;

const readOptional = async (file: string | undefined) =>
  file === undefined ? undefined : await readFile(file, "utf8");

/** Keeps one connection for each server. Nothing is opened or read before `open`. */
export function createAccess(settings: AccessSettings, steadyNow: () => number): AccessKeeper {
  let current: { readonly key: string; readonly agent: Agent } | undefined;
  let opened: { readonly atMs: number; readonly access: Promise<Access> } | undefined;
  let closed = false;
  const read = async (): Promise<Access> => {
    const [headers, certificates] = await Promise.all([authorization(settings), readCertificates(settings.tls)]);
    // Else connections made now would outlive their source.
    if (closed) throw new Error("the source was stopped");
    const key = JSON.stringify(certificates);
    if (current?.key !== key) {
      // Those in flight on the old connections may end; nobody waits for them here.
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
        // What cannot be read now may be there at the next question.
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
  // Editors end a file with a newline, which is no part of the password.
  const pair = Buffer.from(`${basicAuth.username}:${password.replace(/\r?\n$/, "")}`).toString("base64");
  return { authorization: `Basic ${pair}` };
}
