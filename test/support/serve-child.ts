/**
 * One replica in a process of its own, to be killed: `paceline serve` with a short Lease, so that tests need not wait
 * 15 s for a new leader. Arguments: kubeconfig, port, certificate, key, identity.
 */
import { pino } from "pino";
import { startService } from "../../src/service/service.ts";
import { loadCredentials } from "../../src/kube/client/credentials.ts";

const [kubeconfig = "", port = "0", certFile = "", keyFile = "", identity = ""] = process.argv.slice(2);
const service = await startService({
  access: await loadCredentials({ kubeconfig }, process.env),
  namespace: "paceline",
  host: "127.0.0.1",
  port: Number(port),
  tlsFiles: { certFile, keyFile },
  identity,
  log: pino({ level: "info" }),
  leaseTimes: { durationMs: 3_000, renewDeadlineMs: 2_000, retryMs: 300 },
});
process.once("SIGTERM", () => void service.stop().then(() => process.exit(0)));
