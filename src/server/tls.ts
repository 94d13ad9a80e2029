/** Certificates from files. Changed files are used without a restart and without a lost connection. */
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
 * Time between two readings of the files, in ms. They are not watched, because Kubernetes swaps mounted Secrets with
 * symbolic links, which file watches miss. Certificates are renewed days before they expire, so seconds do not matter.
 */
export const RELOAD_INTERVAL_MS = 10_000;

async function readPem(file: string, option: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new Error(`${option} ${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

/** Reads the files and checks that they match. @throws an error that names the file */
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

/** @throws unless all is readable PEM and the key matches the certificate. Node.js itself accepts a wrong key. */
function checkPair(material: TlsMaterial): void {
  createSecureContext(material);
  if (!new X509Certificate(material.cert).checkPrivateKey(createPrivateKey(material.key))) {
    throw new Error("the private key is not the certificate's; are the files of one renewal?");
  }
}

export interface RereadOptions<T> {
  readonly read: () => Promise<T>;
  /** The value in use. */
  readonly current: T;
  readonly isSame: (a: T, b: T) => boolean;
  readonly onChange: (next: T) => void;
  readonly log: FastifyBaseLogger;
  /** Default {@link RELOAD_INTERVAL_MS}. */
  readonly intervalMs?: number | undefined;
}

/**
 * Reads every `intervalMs` and reports changes. While reading fails (for example when files do not match yet, halfway
 * through a renewal), the present value stays in use.
 * @returns a function that ends it
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

/** True if two readings are the same. */
const isSame = (a: TlsMaterial, b: TlsMaterial) => a.cert === b.cert && a.key === b.key && a.ca === b.ca;

export interface TlsReloadOptions extends Pick<RereadOptions<TlsMaterial>, "current" | "log" | "intervalMs"> {
  readonly files: TlsFiles;
  /** The running server. */
  readonly server: Pick<Server, "setSecureContext">;
  /** Called with each new material in use. */
  readonly onTaken?: (material: TlsMaterial) => void;
}

/** Keeps a server's certificates equal to the files. @returns a function that ends it */
export function reloadTls({ files, server, onTaken, ...options }: TlsReloadOptions): () => void {
  const onChange = (next: TlsMaterial) => {
    server.setSecureContext(next satisfies SecureContextOptions);
    onTaken?.(next);
  };
  return reread({ ...options, read: () => readTls(files), isSame, onChange });
}
