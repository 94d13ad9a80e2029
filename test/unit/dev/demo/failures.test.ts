/** Which starts the demo counts as failed. */
import { expect, test } from "vitest";
import { startFailures } from "../../../../dev/demo/failures.ts";

const failed = (containerID: string) => ({
  reason: "StartError",
  message: "namespace path: lstat /proc/0/ns/ipc: no such file or directory",
  containerID,
});

const pod = (status: object) => ({ metadata: { uid: "u", name: "p" }, status });

test("an init container's failed start counts as a container's does", () => {
  const statuses = (id: string) => [{ name: "main", lastState: { terminated: failed(id) }, state: { running: {} } }];
  const told = startFailures(
    pod({ initContainerStatuses: statuses("containerd://a"), containerStatuses: statuses("containerd://b") }),
  );
  expect(told.map(({ key }) => key)).toEqual(["u main containerd://a", "u main containerd://b"]);
  expect(new Set(told.map(({ kind }) => kind))).toEqual(new Set(["NamespacePathProc0"]));
});

test("a start that went well is none, and one that is told again is the same", () => {
  expect(startFailures(pod({ containerStatuses: [{ name: "main", state: { running: {} } }] }))).toEqual([]);
  const again = pod({ initContainerStatuses: [{ name: "init", state: { terminated: failed("containerd://a") } }] });
  expect(startFailures(again)).toEqual(startFailures(again));
});
