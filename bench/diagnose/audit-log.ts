/** Makes an audit log like a real API server's: heartbeats, reads, pods that start well, and now and then a herd. */
import { createHash } from "node:crypto";

const START_MS = Date.UTC(2026, 10, 23);
const PROC0 =
  "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: " +
  "unable to create new parent process: namespace path: lstat /proc/0/ns/ipc: no such file or directory: unknown";
/** Lines between two blocks' herds, and pods of a herd. */
const HERD_EVERY_BLOCKS = 40;
const HERD_PODS = 30;
/** Every sixth pod of a herd fails once, and the log reports it three times. */
const FAILS_EVERY = 6;
const BACKGROUND_LINES = 250;
/** Other fields that a kubelet writes: labels, annotations, volumes and fields of real pods are most of a line. */
const MANAGED = JSON.stringify({
  "f:status": Object.fromEntries(
    Array.from({ length: 24 }, (_, index) => [
      `k:{"type":"Condition${index}"}`,
      { ".": {}, "f:lastProbeTime": {}, "f:status": {}, "f:type": {} },
    ]),
  ),
});

const uid = (seed: string) => {
  const hex = createHash("md5").update(seed).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
};

export class AuditLog {
  lines = 0;
  failures = 0;
  #block = 0;
  #nowMs = START_MS;
  #out: string[] = [];

  /** Some hundred lines. */
  next(): string {
    this.#out = [];
    this.#block++;
    for (let line = 0; line < BACKGROUND_LINES; line++) this.#background(line);
    if (this.#block % HERD_EVERY_BLOCKS === 1) this.#herd();
    this.lines += this.#out.length;
    return this.#out.join("");
  }

  #background(line: number): void {
    this.#nowMs += 90;
    const node = `ip-10-0-${line % 200}-7.ec2.internal`;
    const user = `system:node:${node}`;
    if (line % 5 < 2) {
      this.#event({
        verb: "update",
        uri: `/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/${node}?timeout=10s`,
        user,
      });
    } else if (line % 5 === 2) {
      this.#event({
        verb: "watch",
        uri: "/api/v1/namespaces/shop/configmaps?allowWatchBookmarks=true&timeoutSeconds=430&watch=true",
        user,
      });
    } else if (line % 5 === 3) {
      this.#event({ verb: "get", uri: `/api/v1/namespaces/shop/pods/app-${line}`, user });
    } else this.#podStatus(node, `web-${this.#block % 400}-${line}`, { startTime: START_MS }, "");
  }

  /** A node that joins, and pods that come to it at once. */
  #herd(): void {
    const node = `ip-10-1-0-${this.#block}.ec2.internal`;
    const created = new Date(this.#nowMs).toISOString();
    this.#event({
      verb: "create",
      uri: "/api/v1/nodes",
      user: `system:node:${node}`,
      ref: { resource: "nodes", name: node },
      response: JSON.stringify({ kind: "Node", metadata: { name: node, creationTimestamp: created } }),
    });
    for (let pod = 0; pod < HERD_PODS; pod++) this.#created(`herd-${this.#block}-${pod}`);
    for (let pod = 0; pod < HERD_PODS; pod++) {
      this.#nowMs += 20;
      const name = `herd-${this.#block}-${pod}`;
      const target = JSON.stringify({
        kind: "Binding",
        metadata: { name, namespace: "shop" },
        target: { kind: "Node", name: node },
      });
      const uri = `/api/v1/namespaces/shop/pods/${name}/binding`;
      this.#event({
        verb: "create",
        uri,
        user: "system:kube-scheduler",
        ref: { resource: "pods", namespace: "shop", name, subresource: "binding" },
        request: target,
      });
    }
    for (let pod = 0; pod < HERD_PODS; pod += FAILS_EVERY) this.#failure(node, `herd-${this.#block}-${pod}`);
    for (let pod = 0; pod < HERD_PODS; pod++)
      this.#podStatus(node, `herd-${this.#block}-${pod}`, { startTime: this.#nowMs }, "");
  }

  #created(name: string): void {
    const metadata = `{"name":"${name}","namespace":"shop","uid":"${uid(name)}","ownerReferences":[{"kind":"ReplicaSet","name":"herd","controller":true}]}`;
    this.#event({
      verb: "create",
      uri: "/api/v1/namespaces/shop/pods",
      user: "system:serviceaccount:kube-system:replicaset-controller",
      ref: { resource: "pods", namespace: "shop", name },
      response: `{"kind":"Pod","apiVersion":"v1","metadata":${metadata},"spec":{"containers":[{"name":"main","image":"registry.example/app:1"}]}}`,
    });
  }

  #failure(node: string, name: string): void {
    this.failures++;
    const terminated = {
      exitCode: 128,
      finishedAt: new Date(this.#nowMs).toISOString().replace(/\.\d+Z/, "Z"),
      message: PROC0,
      reason: "StartError",
      startedAt: "1970-01-01T00:00:00Z",
      containerID: `containerd://${uid(name)}`,
    };
    for (let report = 0; report < 3; report++) {
      this.#nowMs += 500;
      const status = {
        name: "main",
        image: "registry.example/app:1",
        restartCount: report === 0 ? 0 : 1,
        lastState: { terminated },
        state: report === 0 ? { waiting: { reason: "RunContainerError" } } : { running: {} },
      };
      this.#podStatus(node, name, { startTime: this.#nowMs }, JSON.stringify(status));
    }
  }

  #podStatus(node: string, name: string, { startTime }: { startTime: number }, failed: string): void {
    const container =
      failed ||
      `{"containerID":"containerd://${uid(name)}","image":"registry.example/app:1","lastState":{},"name":"main","ready":true,"restartCount":0,"started":true,"state":{"running":{"startedAt":"2026-11-23T00:00:00Z"}}}`;
    const status = `{"conditions":[{"lastProbeTime":null,"status":"True","type":"Ready"}],"containerStatuses":[${container}],"startTime":"${new Date(startTime).toISOString().replace(/\.\d+Z/, "Z")}"}`;
    const metadata = `{"name":"${name}","namespace":"shop","uid":"${uid(name)}","managedFields":[{"manager":"kubelet","fieldsV1":${MANAGED}}]}`;
    this.#event({
      verb: "patch",
      uri: `/api/v1/namespaces/shop/pods/${name}/status`,
      user: `system:node:${node}`,
      ref: { resource: "pods", namespace: "shop", name, subresource: "status" },
      request: `{"metadata":{"uid":"${uid(name)}"},"status":${status}}`,
      response: `{"kind":"Pod","apiVersion":"v1","metadata":${metadata},"spec":{"nodeName":"${node}","containers":[{"name":"main","image":"registry.example/app:1"}]},"status":${status}}`,
    });
  }

  #event(event: { verb: string; uri: string; user: string; ref?: object; request?: string; response?: string }): void {
    const at = new Date(this.#nowMs).toISOString().replace("Z", "123Z");
    const objects = `${event.request === undefined ? "" : `,"requestObject":${event.request}`}${event.response === undefined ? "" : `,"responseObject":${event.response}`}`;
    this.#out.push(
      `{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"RequestResponse","auditID":"${uid(String(this.lines + this.#out.length))}","stage":"ResponseComplete",` +
        `"requestURI":"${event.uri}","verb":"${event.verb}","user":{"username":"${event.user}","groups":["system:nodes","system:authenticated"]},` +
        `"sourceIPs":["10.0.0.1"],"userAgent":"kubelet/v1.36.3 (linux/amd64) kubernetes/0000000","objectRef":${JSON.stringify({ ...event.ref, apiVersion: "v1" })},` +
        `"responseStatus":{"metadata":{},"code":200}${objects},"requestReceivedTimestamp":"${at}","stageTimestamp":"${at}",` +
        `"annotations":{"authorization.k8s.io/decision":"allow","authorization.k8s.io/reason":""}}\n`,
    );
  }
}
