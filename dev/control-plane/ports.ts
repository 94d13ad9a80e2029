/** Free ports on 127.0.0.1, for programs that cannot report which port they got for "port 0". */
import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";

/**
 * The lowest port that is used. Ports are above those of common services, and below Linux' ephemeral range (32768 and
 * up), so that no outgoing connection can take the API server's port between its end and its restart.
 */
const LOWEST_PORT = 20_000;
const HIGHEST_PORT = 32_000;
const ATTEMPTS = 100;

/**
 * A port on 127.0.0.1 that was free a moment ago. Another program may take it first: start programs with `onFreePort`.
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
 * Runs `start` on a free port. If another program took the port meanwhile ("address already in use" in the log or the
 * error), it tries again on another port.
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
