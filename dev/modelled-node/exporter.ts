/** Serves one node's metrics page on the node's own loopback address. */
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Random } from "../../src/simulate/model/random.ts";
import { close, listen } from "./listening.ts";

/** Addresses to try before giving up. 127/8 has 16 million, so even a second try is rare. */
const ADDRESS_TRIES = 20;

export interface Exporter {
  /** 127.x.y.z, this node's own. */
  readonly address: string;
  readonly port: number;
  stop(): Promise<void>;
}

/**
 * Listens on an address of 127/8 that no other program uses at this port, so that runs can go side by side.
 * @param page makes the text that `GET /metrics` answers
 * @param random chooses the address
 * @throws when no address is free
 */
export async function startExporter(page: () => string, port: number, random: Random): Promise<Exporter> {
  const server = createServer((request, response) => {
    const found = request.method === "GET" && request.url?.split("?")[0] === "/metrics";
    response.writeHead(found ? 200 : 404, { "content-type": "text/plain; version=0.0.4; charset=utf-8" });
    response.end(found ? page() : "not found\n");
  });
  const address = await listenSomewhere(server, port, random);
  return { address, port: (server.address() as AddressInfo).port, stop: () => close(server) };
}

async function listenSomewhere(server: Server, port: number, random: Random): Promise<string> {
  for (let tries = 1; ; tries += 1) {
    const address = loopbackAddress(random);
    try {
      await listen(server, port, address);
      return address;
    } catch (error) {
      if (tries >= ADDRESS_TRIES || (error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    }
  }
}

/** Some address of 127.1.0.1 to 127.254.255.254: not 127.0.0.x, where other programs listen. */
function loopbackAddress(random: Random): string {
  const between = (low: number, high: number) => low + Math.floor(random() * (high - low + 1));
  return `127.${between(1, 254)}.${between(0, 255)}.${between(1, 254)}`;
}
