/** Where the server's certificate comes from: files that somebody else renews, or a Secret that the service keeps itself. */
import { readFile } from "node:fs/promises";
import type { Server } from "node:tls";
import type { FastifyBaseLogger } from "fastify";
import type { ApiClient } from "../kube/client/api-client.ts";
import { startCertificateKeeper } from "../certificates/keeper.ts";
import { certificateEndMs, type CertificateTimes } from "../certificates/rotation.ts";
import { issueServerCertificate, makeAuthority } from "../certificates/certificates.ts";
import type { Clock } from "../kube/clock.ts";
import { readTls, reloadTls, reread, type TlsFiles, type TlsMaterial } from "../server/tls.ts";

/** Certificates that the service makes and rotates itself. */
export interface AutomaticCertificates {
  /** Secret in the service's namespace; must exist, may be empty. */
  readonly secret: string;
  /** Every name the API server calls the service by. */
  readonly names: readonly string[];
  /** Name of the webhook configurations whose `caBundle` the leader keeps. */
  readonly webhookConfiguration: string;
  /** CAs of client certificates (PEM), taken up anew when they change; with it the extender's routes require one. */
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
  readonly onLeadership: (listener: () => void) => () => void;
  /** Called once the server shows what is in the files or in the Secret, and after each change; with its end, epoch ms. */
  readonly onCertified: (endMs: number) => void;
  readonly clock: Clock;
  readonly log: FastifyBaseLogger;
}

/** Keeps the running server's certificate up to date. The answer ends it. */
export function startTlsFeed(options: TlsFeedOptions): () => Promise<void> {
  const { source } = options;
  return source.kind === "files" ? feedFiles(source.files, options) : feedSecret(source.automatic, options);
}

function feedFiles(files: TlsFiles, { current, server, onCertified, log }: TlsFeedOptions): () => Promise<void> {
  const onTaken = ({ cert }: TlsMaterial) => onCertified(certificateEndMs(cert));
  onTaken(current);
  const end = reloadTls({ files, current, server, onTaken, log });
  return () => {
    end();
    return Promise.resolve();
  };
}

function feedSecret(automatic: AutomaticCertificates, options: TlsFeedOptions): () => Promise<void> {
  const { server, onCertified, log } = options;
  let shown = options.current;
  const show = (change: Partial<TlsMaterial>) => {
    shown = { ...shown, ...change };
    server.setSecureContext(shown);
  };
  const keeper = startCertificateKeeper({
    ...automatic,
    ...options,
    onCertificate({ cert, key }) {
      show({ cert, key });
      log.info({ secret: automatic.secret }, "took up a new certificate");
      onCertified(certificateEndMs(cert));
    },
  });
  const endClientCa = followClientCa(automatic, options, (ca) => show({ ca }));
  return () => {
    endClientCa();
    return keeper.stop();
  };
}

function followClientCa(
  { clientCaFile, intervalMs }: AutomaticCertificates,
  { current, log }: TlsFeedOptions,
  onChange: (ca: string) => void,
): () => void {
  if (clientCaFile === undefined) return () => undefined;
  const read = () => readFile(clientCaFile, "utf8");
  return reread({ read, current: current.ca ?? "", isSame: (a, b) => a === b, onChange, log, intervalMs });
}
