/** An image registry on loopback that serves images made here, and tells what was asked of it. */
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { tarEnd, tarHeader, tarPadding } from "../../bench/real-node/tar.ts";

const MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";

export interface LoopbackRegistry {
  readonly url: string;
  /** Adds an image of some layers under a tag. @returns its digest */
  add(repository: string, tag: string, layers?: number): string;
  /** Paths that were asked for, in order. */
  readonly asked: readonly string[];
  /** Called before a blob is served, with the path; what it awaits delays the answer. */
  onBlob: (path: string) => Promise<void> | void;
  /** Repositories that want this `Authorization` header. */
  readonly locked: Map<string, string>;
  /** Repositories of which another host has the blobs; it takes no `Authorization`, as S3 does for ECR. */
  readonly elsewhere: Set<string>;
  close(): Promise<void>;
}

interface Stored {
  readonly type: string;
  readonly content: Buffer;
}

const digestOf = (content: Buffer) => `sha256:${createHash("sha256").update(content).digest("hex")}`;

function layerOf(name: string): { packed: Buffer; diffId: string } {
  const content = Buffer.from(`content of ${name}\n`);
  const tar = Buffer.concat([tarHeader("file", content.length, 0o644), content, tarPadding(content.length), tarEnd()]);
  return { packed: gzipSync(tar), diffId: digestOf(tar) };
}

export async function startRegistry(): Promise<LoopbackRegistry> {
  const stored = new Map<string, Stored>();
  const asked: string[] = [];
  const locked = new Map<string, string>();
  const elsewhere = new Set<string>();
  const put = (repository: string, kind: string, type: string, content: Buffer): string => {
    const digest = digestOf(content);
    stored.set(`/v2/${repository}/${kind}/${digest}`, { type, content });
    return digest;
  };
  const registry: Omit<LoopbackRegistry, "url" | "close"> = {
    asked,
    locked,
    elsewhere,
    onBlob: () => undefined,
    add: (repository, tag, count = 2) => {
      const layers = Array.from({ length: count }, (_, at) => layerOf(`${repository}:${tag} ${at}`));
      const config = Buffer.from(
        JSON.stringify({
          architecture: process.arch === "arm64" ? "arm64" : "amd64",
          os: "linux",
          config: {},
          rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
        }),
      );
      const manifest = Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: MANIFEST,
          config: {
            mediaType: "application/vnd.docker.container.image.v1+json",
            digest: put(repository, "blobs", "application/octet-stream", config),
            size: config.length,
          },
          layers: layers.map(({ packed }) => ({
            mediaType: "application/vnd.docker.image.rootfs.diff.tar.gzip",
            digest: put(repository, "blobs", "application/octet-stream", packed),
            size: packed.length,
          })),
        }),
      );
      const digest = put(repository, "manifests", MANIFEST, manifest);
      stored.set(`/v2/${repository}/manifests/${tag}`, { type: MANIFEST, content: manifest });
      return digest;
    },
  };
  const hasBlobElsewhere = (path: string) => path.includes("/blobs/") && elsewhere.has(path.split("/")[2] ?? "");
  const mayRead = (path: string, { headers }: IncomingMessage) => {
    const wanted = [...locked].find(([repository]) => path.startsWith(`/v2/${repository}/`))?.[1];
    return wanted === undefined || headers.authorization === wanted;
  };
  const answer = async (request: IncomingMessage, response: ServerResponse) => {
    const path = (request.url ?? "").split("?")[0] ?? "";
    asked.push(path);
    const isElsewhere = request.headers.host?.startsWith("localhost:") === true;
    if (isElsewhere && request.headers.authorization !== undefined) return void response.writeHead(400).end();
    if (!isElsewhere && hasBlobElsewhere(path)) {
      const { port } = server.address() as AddressInfo;
      return void response.writeHead(307, { location: `http://localhost:${port}${path}` }).end();
    }
    if (!isElsewhere && !mayRead(path, request)) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="test"' }).end();
      return;
    }
    const found = stored.get(path);
    if (path.includes("/blobs/")) await registry.onBlob(path);
    if (found === undefined) return void response.writeHead(404).end();
    const headers = { "content-type": found.type, "content-length": found.content.length };
    response.writeHead(200, { ...headers, "docker-content-digest": digestOf(found.content) });
    response.end(request.method === "HEAD" ? undefined : found.content);
  };
  const server = createServer((request, response) => {
    // Closed without an answer, so that a test's own mistake does not hang the client.
    answer(request, response).catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return Object.assign(registry, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  });
}
