/** Where the server's certificate comes from: files that somebody else renews, or a Secret that the service keeps itself. */
import { readFile } from "node:fs/promises";
import type { Server } from "node:tls";
import type { FastifyBaseLogger } from "fastify";
import type { ApiClient } from "../cluster/api-client.ts";
import { startCertificateKeeper } from "../cluster/certificate-keeper.ts";
import type { CertificateTimes } from "../cluster/certificate-plan.ts";
import { issueServerCertificate, makeAuthority } from "../cluster/certificates.ts";
import type { Clock } from "../cluster/clock.ts";
import { readTls, reloadTls, type TlsFiles, type TlsMaterial } from "../server/tls.ts";

/** Certificates that the service makes and rotates itself. */
export interface AutomaticCertificates {
  /** Secret in the service's namespace; must exist, may be empty. */
  readonly secret: string;
  /** Every name the API server calls the service by. */
  readonly names: readonly string[];
  /** Name of the webhook configurations whose `caBundle` the leader keeps. */
  readonly webhookConfiguration: string;
  /** CAs of client certificates (PEM), read once; with it the extender's routes require one. */
  readonly clientCaFile?: string | undefined;
  readonly times?: CertificateTimes | undefined;
  /** Between two looks at the Secret, ms. */
  readonly intervalMs?: number | undefined;
}

export type TlsSource =
  | { readonly kind: "files"; readonly files: TlsFiles }
  | { readonly kind: "automatic"; readonly automatic: AutomaticCertificates };

/** Validity of the stopgap, days: it is replaced as soon as the Secret has been read. */
const STOPGAP_DAYS = 1;

/**
 * What the server starts with. In automatic mode a stopgap that nobody trusts: the probes can ask it, and until the
 * Secret has been read the API server goes on without us (failurePolicy Ignore).
 */
export async function firstTls(source: TlsSource, nowMs: number): Promise<TlsMaterial> {
  if (source.kind === "files") return readTls(source.files);
  const { names, clientCaFile } = source.automatic;
  const authority = await makeAuthority({ commonName: "Paceline stopgap", days: STOPGAP_DAYS, nowMs });
  const pair = await issueServerCertificate(authority, { names, days: STOPGAP_DAYS, nowMs });
  return { ...pair, ...(clientCaFile !== undefined && { ca: await readFile(clientCaFile, "utf8") }) };
}

export interface TlsFeedOptions {
  readonly source: TlsSource;
  readonly current: TlsMaterial;
  /** The running server. */
  readonly server: Pick<Server, "setSecureContext">;
  readonly client: ApiClient;
  readonly namespace: string;
  readonly isLeader: () => boolean;
  /** Called once the server shows what is in the files, or in the Secret. */
  readonly onCertified: () => void;
  readonly clock: Clock;
  readonly log: FastifyBaseLogger;
}

/** Keeps the running server's certificate up to date. The answer ends it. */
export function startTlsFeed({ source, current, server, ...options }: TlsFeedOptions): () => Promise<void> {
  if (source.kind === "files") {
    options.onCertified();
    const end = reloadTls({ files: source.files, current, server, log: options.log });
    return () => {
      end();
      return Promise.resolve();
    };
  }
  const keeper = startCertificateKeeper({
    ...source.automatic,
    ...options,
    onCertificate({ cert, key }) {
      server.setSecureContext({ cert, key, ...(current.ca !== undefined && { ca: current.ca }) });
      options.log.info({ secret: source.automatic.secret }, "took up a new certificate");
      options.onCertified();
    },
  });
  return () => keeper.stop();
}
