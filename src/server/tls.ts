/** Certificates from files, taken up anew when the files change, without a restart and without a lost connection. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext, type SecureContextOptions, type Server } from "node:tls";
import type { FastifyBaseLogger } from "fastify";

export interface TlsFiles {
  /** Certificate chain, PEM. */
  readonly certFile: string;
  /** Its private key, PEM. */
  readonly keyFile: string;
  /** CAs of client certificates, PEM; with it the extender's routes require one. */
  readonly clientCaFile?: string;
}

/** Content of the files. */
export interface TlsMaterial {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string;
}

/**
 * How often the files are read, in ms. Reading beats watching here: Kubernetes swaps mounted Secrets by symbolic links,
 * which file watches miss. Certificates are renewed days before they expire, so seconds do not matter.
 */
export const RELOAD_INTERVAL_MS = 10_000;

async function readPem(file: string, option: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new Error(`${option} ${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** Reads the files and checks that they belong together. Throws an error that names the file. */
export async function readTls({ certFile, keyFile, clientCaFile }: TlsFiles): Promise<TlsMaterial> {
  const [cert, key, ca] = await Promise.all([
    readPem(certFile, "--cert-file"),
    readPem(keyFile, "--key-file"),
    clientCaFile === undefined ? undefined : readPem(clientCaFile, "--client-ca-file"),
  ]);
  const material = { cert, key, ...(ca !== undefined && { ca }) };
  try {
    checkPair(material);
  } catch (cause) {
    throw new Error(`--cert-file ${certFile} and --key-file ${keyFile}: ${(cause as Error).message}`, { cause });
  }
  return material;
}

/** Throws unless all is readable PEM and the key is the certificate's. Node.js itself does not mind a wrong key. */
function checkPair(material: TlsMaterial): void {
  createSecureContext(material);
  if (!new X509Certificate(material.cert).checkPrivateKey(createPrivateKey(material.key))) {
    throw new Error("the private key is not the certificate's; are the files of one renewal?");
  }
}

export interface RereadOptions<T> {
  readonly read: () => Promise<T>;
  /** What is in use. */
  readonly current: T;
  readonly isSame: (a: T, b: T) => boolean;
  readonly onChange: (next: T) => void;
  readonly log: FastifyBaseLogger;
  /** Default {@link RELOAD_INTERVAL_MS}. */
  readonly intervalMs?: number | undefined;
}

/**
 * Reads again and again, and tells of changes. While reading fails (files that do not match yet, halfway through a
 * renewal), what is in use stays. Returns what ends it.
 */
export function reread<T>({ read, current, isSame, onChange, log, intervalMs }: RereadOptions<T>): () => void {
  let inUse = current;
  const look = async () => {
    const next = await read();
    if (isSame(inUse, next)) return;
    onChange(next);
    inUse = next;
    log.info("took up new certificates");
  };
  const timer = setInterval(() => {
    look().catch((error: unknown) => log.error({ err: error }, "kept the old certificates"));
  }, intervalMs ?? RELOAD_INTERVAL_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** Whether two readings are the same. */
const isSame = (a: TlsMaterial, b: TlsMaterial) => a.cert === b.cert && a.key === b.key && a.ca === b.ca;

export interface TlsReloadOptions extends Pick<RereadOptions<TlsMaterial>, "current" | "log" | "intervalMs"> {
  readonly files: TlsFiles;
  /** The running server. */
  readonly server: Pick<Server, "setSecureContext">;
  /** Called with everything that is taken up. */
  readonly onTaken?: (material: TlsMaterial) => void;
}

/** Keeps a server's certificates equal to the files. Returns what ends it. */
export function reloadTls({ files, server, onTaken, ...options }: TlsReloadOptions): () => void {
  const onChange = (next: TlsMaterial) => {
    server.setSecureContext(next satisfies SecureContextOptions);
    onTaken?.(next);
  };
  return reread({ ...options, read: () => readTls(files), isSame, onChange });
}
