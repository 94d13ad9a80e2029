/** The source of the server's certificate: files that another program renews, or a Secret that the service keeps. */
import { readFile } from "node:fs/promises";
import type { Server } from "node:tls";
import type { FastifyBaseLogger } from "fastify";
import type { ApiClient } from "../kube/client/api-client.ts";
import { startCertificateKeeper } from "../certificates/keeper.ts";
import { certificateSpan, type CertificateSpan, type CertificateTimes } from "../certificates/rotation.ts";
import { issueServerCertificate, makeAuthority } from "../certificates/certificates.ts";
import type { Clock } from "../kube/clock.ts";
import { readTls, reloadTls, reread, type TlsFiles, type TlsMaterial } from "../server/tls.ts";

/** Certificates that the service makes and rotates itself. */
export interface AutomaticCertificates {
  /** Secret in the service's namespace; must exist, may be empty. */
  readonly secret: string;
  /** Every name by which the API server calls the service. */
  readonly names: readonly string[];
  /** Name of the webhook configurations whose `caBundle` the leader keeps. */
  readonly webhookConfiguration: string;
  /** File with CAs of client certificates (PEM), read again and again. With it the extender's routes require one. */
  readonly clientCaFile?: string | undefined;
  readonly times?: CertificateTimes | undefined;
  /** Between two looks at the Secret, ms. */
  readonly intervalMs?: number | undefined;
}

export type TlsSource =
  | { readonly kind: "files"; readonly files: TlsFiles }
  | { readonly kind: "automatic"; readonly automatic: AutomaticCertificates };

/** Validity of the temporary certificate, days. It is replaced as soon as the Secret has been read. */
const STOPGAP_DAYS = 1;

/**
 * The certificate that the server starts with. In automatic mode it is a temporary one that no client trusts: probes
 * can call the server, and the API server goes on without it (failurePolicy Ignore) until the Secret has been read.
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
  /** Called with the certificate's validity once the server shows a trusted one, and after each change. */
  readonly onCertified: (span: CertificateSpan) => void;
  readonly clock: Clock;
  readonly log: FastifyBaseLogger;
}

/** Keeps the running server's certificate up to date. @returns a function that ends it */
export function startTlsFeed(options: TlsFeedOptions): () => Promise<void> {
  const { source } = options;
  return source.kind === "files" ? feedFiles(source.files, options) : feedSecret(source.automatic, options);
}

function feedFiles(files: TlsFiles, { current, server, onCertified, log }: TlsFeedOptions): () => Promise<void> {
  const onTaken = ({ cert }: TlsMaterial) => onCertified(certificateSpan(cert));
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
      onCertified(certificateSpan(cert));
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
