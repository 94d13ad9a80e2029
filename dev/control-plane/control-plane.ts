/**
 * A real control plane for demo, tests and benchmarks: etcd, kube-apiserver, kube-scheduler, kube-controller-manager,
 * on 127.0.0.1, in its own temporary folder. It leaves nothing behind when it is stopped, or when this process ends in
 * any way. Several can run side by side.
 */
import type { Authority } from "../../src/certificates/certificates.ts";
import type { ApiClient } from "../../src/kube/client/api-client.ts";
import { type ApiServer, startApiServer, type Surroundings } from "./api-server.ts";
import { findBinaries } from "./binaries.ts";
import { type Child, killChildrenOf, startChild } from "./child.ts";
import { type CallsOut, callsOutFlags } from "./egress.ts";
import { controllerManagerFlags } from "./flags.ts";
import { makeFolder } from "./folder.ts";
import type { SchedulerOptions } from "./scheduler-configuration.ts";
import { makeSchedulers, type Scheduler } from "./schedulers.ts";
import { makeKubeconfig, type TokenUser } from "./users.ts";
import { startWatchdog } from "./watchdog.ts";

export interface ControlPlaneOptions extends CallsOut {
  /** The first scheduler: unmodified by default; `false` for none. */
  readonly scheduler?: SchedulerOptions | false;
  /**
   * Default true: DaemonSet, Deployment, ReplicaSet, Job, namespace, node-lifecycle controllers and garbage collector.
   */
  readonly controllerManager?: boolean;
  /** More controllers by kube-controller-manager's names, such as `taint-eviction-controller`. */
  readonly controllers?: readonly string[];
  /** Default true; benchmarks that measure throughput turn it off. */
  readonly auditLog?: boolean;
  /** The audit log has the Events that anybody makes, too. */
  readonly auditEvents?: boolean;
  /** Admission plugins of kube-apiserver that are off by default. */
  readonly admissionPlugins?: readonly string[];
  /** Users besides the administrator; RBAC decides what they may do. */
  readonly users?: readonly TokenUser[];
}

export interface ControlPlane extends AsyncDisposable {
  /** `https://127.0.0.1:<port>`. */
  readonly url: string;
  /** The administrator's token (group system:masters). */
  readonly token: string;
  /** PEM; certificate of `authority`. */
  readonly caCert: string;
  /** The authority of this run: let it sign the certificates of webhooks and extenders. */
  readonly authority: Authority;
  /** The administrator's kubeconfig as YAML, and the file that holds it. */
  readonly kubeconfig: string;
  readonly kubeconfigPath: string;
  /** The folder with keys, logs (`kube-apiserver.log` …) and etcd's data. */
  readonly folder: string;
  /** JSON lines of audit.k8s.io/v1 Events; the file is not there with `auditLog: false`. */
  readonly auditLogPath: string;
  /** Path of a kubectl, if there is one. */
  readonly kubectlPath: string | undefined;
  /** The administrator's client; closed by `stop`. */
  readonly client: ApiClient;
  /** A kubeconfig as YAML for any token: a user of `users`, or a service account's (TokenRequest). */
  kubeconfigFor(user: Pick<TokenUser, "name" | "token">): string;
  /** Starts a further scheduler, or one after `stopScheduler`. Without options: unmodified. */
  startScheduler(options?: SchedulerOptions): Promise<Scheduler>;
  /** Stops all schedulers. */
  stopScheduler(): Promise<void>;
  /** Kills and starts the API server at the same address; etcd keeps the data. Resolves when it is ready. */
  restartApiServer(): Promise<void>;
  /** Kills the API server; `restartApiServer` brings it back. */
  killApiServer(): Promise<void>;
  /** Lets the API server hang: connections stay open, nothing answers. */
  pauseApiServer(): void;
  resumeApiServer(): void;
  /**
   * Starts a program that belongs to this run: its log and working directory are in `folder`, and it ends with the
   * control plane or with this process, whichever comes first.
   */
  startProgram(name: string, command: string, args: readonly string[]): Promise<Child>;
  /** Ends every program and removes the folder. Calling it again does nothing. */
  stop(): Promise<void>;
}

/**
 * Starts a control plane; ready in a few seconds once the programs are built. `PACELINE_KEEP=1` keeps its folder.
 * @throws with the last log lines of the program that failed; nothing is left running then.
 */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const binaries = await findBinaries();
  const folder = await makeFolder(options.users ?? [], Date.now(), options);
  const watchdog = startWatchdog(process.env["PACELINE_KEEP"] ? undefined : folder.path);
  const around: Surroundings = { binaries, folder, watchdog };
  let apiServer: ApiServer | undefined;
  try {
    const moreFlags = [...(await callsOutFlags(folder, options)), ...admissionFlags(options.admissionPlugins ?? [])];
    apiServer = await startApiServer(around, { audit: options.auditLog ?? true, moreFlags });
    return await startAround(around, apiServer, options);
  } catch (error) {
    await end(around, apiServer);
    throw error;
  }
}

const admissionFlags = (plugins: readonly string[]) =>
  plugins.length > 0 ? [`--enable-admission-plugins=${plugins.join(",")}`] : [];

async function end({ folder, watchdog }: Surroundings, apiServer: ApiServer | undefined): Promise<void> {
  await Promise.all([apiServer?.client.close(), killChildrenOf(folder.path)]);
  await watchdog.close();
}

/** Starts the rest, once the API server is ready. */
async function startAround(
  around: Surroundings,
  apiServer: ApiServer,
  options: ControlPlaneOptions,
): Promise<ControlPlane> {
  const { folder } = around;
  const { admin } = folder.users;
  const kubeconfigFor = (user: Pick<TokenUser, "name" | "token">) =>
    makeKubeconfig({ url: apiServer.url, caCert: folder.authority.cert, user });
  const kubeconfigPath = await folder.write("kubeconfig.yaml", kubeconfigFor(admin));
  const schedulers = makeSchedulers(around, {
    kubeconfigPath: await folder.write("kube-scheduler.kubeconfig", kubeconfigFor(folder.users.scheduler)),
    adminKubeconfigPath: kubeconfigPath,
  });
  if (options.controllerManager !== false) {
    await startControllerManager(around, kubeconfigFor(folder.users.controllerManager), options.controllers ?? []);
  }
  if (options.scheduler !== false) await schedulers.start(options.scheduler);
  let stopped: Promise<void> | undefined;
  const stop = () => (stopped ??= end(around, apiServer));
  return {
    url: apiServer.url,
    token: admin.token,
    caCert: folder.authority.cert,
    authority: folder.authority,
    kubeconfig: kubeconfigFor(admin),
    kubeconfigPath,
    folder: folder.path,
    auditLogPath: folder.file("audit.log"),
    kubectlPath: around.binaries.kubectl,
    client: apiServer.client,
    kubeconfigFor,
    startScheduler: (schedulerOptions) => schedulers.start(schedulerOptions),
    stopScheduler: () => schedulers.stopAll(),
    startProgram: (name, command, args) =>
      startChild({ name, command, args, folder: folder.path, watchdog: around.watchdog }),
    restartApiServer: async () => {
      await apiServer.kill();
      await apiServer.start();
    },
    killApiServer: () => apiServer.kill(),
    pauseApiServer: () => apiServer.pause(),
    resumeApiServer: () => apiServer.resume(),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function startControllerManager(
  { binaries, folder, watchdog }: Surroundings,
  kubeconfig: string,
  extraControllers: readonly string[],
): Promise<void> {
  const kubeconfigPath = await folder.write("kube-controller-manager.kubeconfig", kubeconfig);
  const child = await startChild({
    name: "kube-controller-manager",
    command: binaries["kube-controller-manager"],
    args: controllerManagerFlags(kubeconfigPath, extraControllers),
    folder: folder.path,
    watchdog,
  });
  child.announceUnexpectedEnd();
}
