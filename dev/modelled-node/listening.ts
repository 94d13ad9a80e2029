/** Opening and closing the servers of a modelled node. */
import type { Server } from "node:http";
import type { Server as SecureServer } from "node:https";

/** @param port 0 takes a free one. @throws with the system's code, such as EADDRINUSE */
export function listen(server: Server | SecureServer, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

/** Ends open connections, too. */
export function close(server: Server | SecureServer): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
