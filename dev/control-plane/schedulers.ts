/** The kube-schedulers of one control plane: none, one, or several under different scheduler names. */
import { createApiClient } from "../../src/kube/client/api-client.ts";
import { answersOk, type Surroundings } from "./api-server.ts";
import { type Child, startChild, untilReady } from "./child.ts";
import { schedulerFlags } from "./flags.ts";
import { onFreePort } from "./ports.ts";
import { renderSchedulerConfig, type SchedulerOptions } from "./scheduler-configuration.ts";

/** Milliseconds until a scheduler has filled its caches; under 2 s on 2 idle cores. */
const READY_TIMEOUT_MS = 60_000;

export interface Scheduler {
  /** Its own HTTPS address (`/metrics` with the administrator's token, `/readyz` for every client). */
  readonly url: string;
  readonly logPath: string;
  stop(): Promise<void>;
}

/** The kubeconfigs of a scheduler: its own for its work, the administrator's to authorize requests for its metrics. */
export interface SchedulerKubeconfigs {
  readonly kubeconfigPath: string;
  readonly adminKubeconfigPath: string;
}

export interface Schedulers {
  /**
   * Starts one and waits until its caches are filled.
   * @throws with its last log lines when its configuration is refused.
   */
  start(options?: SchedulerOptions): Promise<Scheduler>;
  stopAll(): Promise<void>;
}

/** The schedulers of one control plane, none yet. */
export function makeSchedulers(around: Surroundings, kubeconfigs: SchedulerKubeconfigs): Schedulers {
  const running = new Set<Scheduler>();
  return {
    start: async (options = {}) => {
      const scheduler = await startScheduler(around, kubeconfigs, options);
      running.add(scheduler);
      return scheduler;
    },
    stopAll: async () => {
      await Promise.all([...running].map((scheduler) => scheduler.stop()));
      running.clear();
    },
  };
}

async function startScheduler(
  around: Surroundings,
  kubeconfigs: SchedulerKubeconfigs,
  options: SchedulerOptions,
): Promise<Scheduler> {
  const { folder } = around;
  const name = options.schedulerName ? `kube-scheduler-${options.schedulerName}` : "kube-scheduler";
  const config = renderSchedulerConfig({ ...options, kubeconfigPath: kubeconfigs.kubeconfigPath });
  const configPath = await folder.write(`${name}.yaml`, config);
  return onFreePort(async (port) => {
    const args = schedulerFlags(folder, { configPath, adminKubeconfigPath: kubeconfigs.adminKubeconfigPath, port });
    const child = await startReady(around, name, args, port);
    return { url: `https://127.0.0.1:${port}`, logPath: child.logPath, stop: () => child.kill() };
  });
}

async function startReady(around: Surroundings, name: string, args: string[], port: number): Promise<Child> {
  const { binaries, folder, watchdog } = around;
  const command = binaries["kube-scheduler"];
  const child = await startChild({ name, command, args, folder: folder.path, watchdog });
  const client = createApiClient({ url: `https://127.0.0.1:${port}`, ca: folder.authority.cert });
  try {
    await untilReady(child, () => answersOk(client, "/readyz"), READY_TIMEOUT_MS);
  } catch (error) {
    await child.kill();
    throw error;
  } finally {
    await client.close();
  }
  child.announceUnexpectedEnd();
  return child;
}
