/** One replica of the service as a process of its own, with leases short enough to kill many leaders in a test. */
import { pino } from "pino";
import { loadCredentials } from "../../src/kube/client/credentials.ts";
import { startService } from "../../src/service/service.ts";
import { DEFAULT_NAMESPACE } from "../../src/api/names.ts";

const [, , kubeconfig = "", identity = ""] = process.argv;
const access = await loadCredentials({ kubeconfig }, {});
await startService({
  access,
  namespace: DEFAULT_NAMESPACE,
  host: "127.0.0.1",
  port: 0,
  identity,
  log: pino({ level: "info" }),
  leaseTimes: { durationMs: 2_000, renewDeadlineMs: 1_500, retryMs: 250 },
});
