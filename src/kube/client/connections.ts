/** The connection pools of one API client: one for requests, one for watches, which last for minutes. */
import { Agent, ProxyAgent } from "undici";
import type { Dispatcher } from "undici";
import type { Credentials, TlsMaterial } from "./credentials.ts";

/** Time-out for TCP and TLS. Assumed: a server that does not finish the handshake in 5 s is not there. */
const CONNECT_TIMEOUT_MS = 5_000;

/**
 * Idle connections are closed well before the API server closes them (90 s), so that no request meets a closing one.
 */
const KEEP_ALIVE_MS = 30_000;

/** Connections for requests; watches have their own. Range 16–256: enough for the release loop's writes in flight. */
const CONNECTIONS = 96;

export interface Agents {
  readonly requests: Dispatcher;
  readonly watches: Dispatcher;
}

export interface Connections {
  /** The pools, and the headers with the credentials. @throws when the credentials cannot be read */
  open(): Promise<{ agents: Agents; headers: Readonly<Record<string, string>> }>;
  /** Makes the next request read the credentials and certificates again. */
  forget(): void;
  /** Drops every connection. */
  close(): Promise<void>;
}

/** Keeps the connection pools. After `forget`, the next request reads credentials and certificates again. */
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
    /** The server no longer accepts our certificate: connections made with it are useless for new requests. */
    forget(): void {
      const old = agents;
      agents = undefined;
      // Running watches may go on until they end. A graceful close waits for them, so it is not awaited here.
      void Promise.allSettled([old?.requests.close(), old?.watches.close()]);
    },
    async close(): Promise<void> {
      await Promise.all([agents?.requests.destroy(), agents?.watches.destroy()]);
    },
  };
}

function createAgent(credentials: Credentials, tls: TlsMaterial, connections: number | null): Dispatcher {
  const connect = { ...definedOnly(tls), timeout: CONNECT_TIMEOUT_MS, keepAlive: true, keepAliveInitialDelay: 30_000 };
  // HTTP/2 would put every watch on one connection, and one stall would stall all of them.
  const options = { connections, connect, allowH2: false, keepAliveTimeout: KEEP_ALIVE_MS };
  return credentials.proxyUrl === undefined
    ? new Agent(options)
    : new ProxyAgent({ ...options, uri: credentials.proxyUrl, requestTls: connect });
}

function definedOnly<T extends object>(record: T): Partial<T> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as Partial<T>;
}
