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

/** Whether two readings are the same. */
const same = (a: TlsMaterial, b: TlsMaterial) => a.cert === b.cert && a.key === b.key && a.ca === b.ca;

export interface TlsReloadOptions {
  readonly files: TlsFiles;
  readonly current: TlsMaterial;
  /** The running server. */
  readonly server: Pick<Server, "setSecureContext">;
  readonly log: FastifyBaseLogger;
  readonly intervalMs?: number;
}

/**
 * Keeps a server's certificates equal to the files. While they cannot be read, or do not match (halfway through a
 * renewal), the old ones stay. Returns what ends it.
 */
export function reloadTls({
  files,
  current,
  server,
  log,
  intervalMs = RELOAD_INTERVAL_MS,
}: TlsReloadOptions): () => void {
  let inUse = current;
  const reload = async () => {
    const next = await readTls(files);
    if (same(inUse, next)) return;
    server.setSecureContext(next satisfies SecureContextOptions);
    inUse = next;
    log.info({ certFile: files.certFile }, "took up new certificates");
  };
  const timer = setInterval(() => {
    reload().catch((error: unknown) => log.error({ err: error }, "kept the old certificates"));
  }, intervalMs);
  timer.unref();
  return () => clearInterval(timer);
}
