/**
 * Child process of bench/telemetry.ts: modelled exporters on addresses of 127/8, one server for each, on one port. The
 * servers are very simple, so that the bench measures the scraper and not them. Arguments: how many, port (0: any).
 * Sends `{ port }` to its parent when all listen.
 */
import { createServer, type AddressInfo, type Server } from "node:net";
import { exposition } from "../dev/modelled-node/exposition.ts";
import { loopbackAddress } from "./telemetry-addresses.ts";

const count = Number(process.argv[2]);
const startMs = performance.now();

/** A node that has been busy since the start: 100 writes a second of 20 ms each. */
function page(): string {
  const seconds = (performance.now() - startMs) / 1_000;
  const disk = {
    readsCompleted: 0,
    readBytes: 0,
    readMs: 0,
    ioNow: 3,
    writesCompleted: Math.floor(seconds * 100),
    writtenBytes: seconds * 25e6,
    writeMs: seconds * 2_000,
    ioMs: seconds * 900,
    ioWeightedMs: seconds * 2_000,
  };
  const pressure = {
    cpuWaitingMs: 0,
    ioWaitingMs: seconds * 500,
    ioStalledMs: 0,
    memoryWaitingMs: 0,
    memoryStalledMs: 0,
  };
  const memory = { totalBytes: 16e9, availableBytes: 8e9, dirtyBytes: 1e8, writebackBytes: 1e7 };
  const rest = { cpuMs: seconds * 1_000, upMs: seconds * 1_000, cores: 4, load: [1, 1, 1] as [number, number, number] };
  return exposition({ disk, pressure, memory, awaitMs: 20, ...rest });
}

/** The page is made at most every 5 ms; making it for every scrape would measure the model. */
let made = { atMs: -Infinity, answer: "" };
function answer(): string {
  const nowMs = performance.now();
  if (nowMs - made.atMs > 5) {
    const body = page();
    const head = `HTTP/1.1 200 OK\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: ${body.length}\r\n\r\n`;
    made = { atMs: nowMs, answer: head + body };
  }
  return made.answer;
}

function exporter(): Server {
  return createServer((socket) => {
    socket.setNoDelay(true);
    socket.on("error", () => socket.destroy());
    // The scraper's requests fit into one packet, and it waits for each answer.
    socket.on("data", (data) => {
      const closes = data.includes("connection: close");
      if (closes) socket.end(answer());
      else socket.write(answer());
    });
  });
}

let port = Number(process.argv[3] ?? 0);
for (let index = 0; index < count; index += 1) {
  const server = exporter();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host: loopbackAddress(index), backlog: 16 }, resolve);
  });
  port = (server.address() as AddressInfo).port;
}
process.send?.({ port });
process.on("disconnect", () => process.exit());
