/** The connection pools of one API client: one for requests, one for watches, which last for minutes. */
import { Agent, ProxyAgent } from "undici";
import type { Dispatcher } from "undici";
import type { Credentials, TlsMaterial } from "./credentials.ts";

/** Time for TCP and TLS. Assumed: a server that does not shake hands in 5 s is not there. */
const CONNECT_TIMEOUT_MS = 5_000;

/** Idle connections are dropped well before the API server does so (90 s), lest a request meets a closing one. */
const KEEP_ALIVE_MS = 30_000;

/** Connections for requests; watches have their own. Range 16–256: enough for the release loop's writes in flight. */
const CONNECTIONS = 96;

export interface Agents {
  readonly requests: Dispatcher;
  readonly watches: Dispatcher;
}

export interface Connections {
  /** Pools, and the headers that say who we are. @throws when the credentials cannot be read. */
  open(): Promise<{ agents: Agents; headers: Readonly<Record<string, string>> }>;
  /** Makes the next request read the credentials and certificates anew. */
  forget(): void;
  /** Drops every connection. */
  close(): Promise<void>;
}

/** Keeps the connection pools; `forget` makes the next request read the credentials and certificates anew. */
export function createConnections(credentials: Credentials): Connections {
  let agents: Agents | undefined;
  return {
    async open(): Promise<{ agents: Agents; headers: Readonly<Record<string, string>> }> {
      const { tls, headers } = await credentials.access();
      agents ??= {
        requests: createAgent(credentials, tls, CONNECTIONS),
        watches: createAgent(credentials, tls, null),
      };
      return { agents, headers };
    },
    /** The server no longer takes our certificate: connections made with it are of no use for new requests. */
    forget(): void {
      const old = agents;
      agents = undefined;
      // Running watches may go on until they end; a graceful close waits for them, so nobody waits for it here.
      void Promise.allSettled([old?.requests.close(), old?.watches.close()]);
    },
    async close(): Promise<void> {
      await Promise.all([agents?.requests.destroy(), agents?.watches.destroy()]);
    },
  };
}

function createAgent(credentials: Credentials, tls: TlsMaterial, connections: number | null): Dispatcher {
  const connect = { ...definedOnly(tls), timeout: CONNECT_TIMEOUT_MS, keepAlive: true, keepAliveInitialDelay: 30_000 };
  // HTTP/2 would put every watch on one connection: one stall would stall them all.
  const options = { connections, connect, allowH2: false, keepAliveTimeout: KEEP_ALIVE_MS };
  return credentials.proxyUrl === undefined
    ? new Agent(options)
    : new ProxyAgent({ ...options, uri: credentials.proxyUrl, requestTls: connect });
}

function definedOnly<T extends object>(record: T): Partial<T> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as Partial<T>;
}
