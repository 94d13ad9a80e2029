/** Free ports on 127.0.0.1 for programs that cannot be told "port 0" and asked afterwards which one they got. */
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

/**
 * Ports are taken from here: below Linux' ephemeral range (32768 and up), so that no outgoing connection can sit on the
 * API server's port in the moment between its end and its restart, and above the ports that services commonly use.
 */
const LOWEST_PORT = 20_000;
const HIGHEST_PORT = 32_000;
const ATTEMPTS = 100;

/**
 * A port on 127.0.0.1 that was free a moment ago. Somebody else may take it first: start the program with `onFreePort`.
 * @throws when 100 random ports in a row are taken.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = randomInt(LOWEST_PORT, HIGHEST_PORT);
    if (await isFree(port)) return port;
  }
  throw new Error(`no free port found on 127.0.0.1 between ${LOWEST_PORT} and ${HIGHEST_PORT} in ${ATTEMPTS} attempts`);
}

/**
 * Runs `start` on a free port, and again on another one when the port was lost to somebody else meanwhile, which the
 * program says itself ("address already in use", in its log or its error).
 */
export async function onFreePort<T>(start: (port: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(await freePort());
    } catch (error) {
      if (attempt === 5 || !String(error).includes("address already in use")) throw error;
    }
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  server.listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch {
    return false;
  }
  server.close();
  await once(server, "close");
  return true;
}
