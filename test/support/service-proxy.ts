/**
 * Replaces kube-proxy for the API server, as its egress proxy. A connection to any Service address goes to the ready
 * replicas in turn; every other connection goes to its own address. So the chart's webhooks need no change.
 */
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** The addresses of Services on the development control plane (`--service-cluster-ip-range`). */
const SERVICE_ADDRESS = /^10\.96\./;

export interface ServiceProxy extends AsyncDisposable {
  /** For `startControlPlane({ clusterProxy })`. */
  readonly socket: string;
  /** Sets the ports of the ready replicas. Open connections stay. Without ports, connections are refused. */
  use(ports: readonly number[]): void;
  /** From now on, connections to a Service are accepted and never answered. */
  hang(): void;
  /** The number of connections that have hung. */
  hung(): number;
}

export async function startServiceProxy(): Promise<ServiceProxy> {
  const folder = await mkdtemp(join(tmpdir(), "paceline-proxy-"));
  const socket = join(folder, "proxy.sock");
  const state = { ports: [] as readonly number[], hangs: false, hung: 0, turn: 0 };
  const sockets = new Set<Socket>();
  const track = (one: Socket, onClose: () => void) => {
    sockets.add(one);
    one
      .on("error", () => one.destroy())
      .on("close", () => {
        sockets.delete(one);
        onClose();
      });
  };

  const server = createServer((incoming) => {
    track(incoming, () => undefined);
    incoming.once("data", (head) => {
      const [, host = "", port = ""] = /^CONNECT ([^ ]+):(\d+) /.exec(head.toString()) ?? [];
      const isService = SERVICE_ADDRESS.test(host);
      const target = isService ? state.ports[state.turn++ % Math.max(1, state.ports.length)] : Number(port);
      if (target === undefined) return void incoming.destroy();
      if (isService && state.hangs) {
        state.hung += 1;
        return void incoming.write("HTTP/1.1 200 OK\r\n\r\n");
      }
      const onward = connect(target, isService ? "127.0.0.1" : host, () => {
        incoming.write("HTTP/1.1 200 OK\r\n\r\n");
        incoming.pipe(onward).pipe(incoming);
      });
      incoming.on("close", () => onward.destroy());
      track(onward, () => incoming.destroy());
    });
  }).listen(socket);
  await once(server, "listening");
  return {
    socket,
    use(ports) {
      state.ports = ports;
      state.hangs = false;
    },
    hang() {
      state.ports = [0];
      state.hangs = true;
    },
    hung: () => state.hung,
    [Symbol.asyncDispose]: async () => {
      for (const one of sockets) one.destroy();
      server.close();
      await once(server, "close");
      await rm(folder, { recursive: true, force: true });
    },
  };
}
