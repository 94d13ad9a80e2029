/** Versions, conflicts, lists and watches of the fault harness' API server. */
import { expect, it } from "vitest";
import { ApiError } from "../../../../src/kube/client/api-error.ts";
import { newServer, pod, PODS, refusalOf, versionOf, type Subject } from "./support.ts";

it("a write without effect makes no version; an outdated one conflicts", () => {
  const { server } = newServer();
  const made = server.create(PODS, pod("a"));
  const label = (value: string) => ({ metadata: { labels: { a: value } } });
  const after = server.patch(`${PODS}/a`, label("1"), "merge");
  expect(versionOf(after)).toBe(versionOf(made) + 1);
  expect(versionOf(server.patch(`${PODS}/a`, label("1"), "merge"))).toBe(versionOf(after));
  expect(server.version).toBe(versionOf(after));
  expect(refusalOf(() => server.update(`${PODS}/a`, made))).toBe("409 Conflict");
  const test = [{ op: "test", path: "/metadata/resourceVersion", value: made.metadata?.resourceVersion }];
  expect(refusalOf(() => server.patch(`${PODS}/a`, test, "json"))).toBe("422 Invalid");
  expect(refusalOf(() => server.create(PODS, pod("a")))).toBe("409 AlreadyExists");
});

it("a Lease is not written without the version that was read", () => {
  const { server } = newServer();
  const path = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
  const made = server.create(path, { metadata: { name: "l" }, spec: { holderIdentity: "a" } });
  const { resourceVersion: _version, ...metadata } = made.metadata ?? {};
  expect(refusalOf(() => server.update(`${path}/l`, { ...made, metadata }))).toBe("422 Invalid");
});

it("all pages of a list show the same moment, until it is compacted", () => {
  const { server } = newServer();
  for (const name of ["a", "b", "c"]) server.create(PODS, pod(name));
  const first = server.list(PODS, { limit: 1 });
  server.delete(`${PODS}/b`);
  server.create(PODS, pod("bb"));
  const rest = server.list(PODS, { continue: first.metadata.continue });
  expect(rest.items.map(({ metadata }) => metadata?.name)).toEqual(["b", "c"]);
  expect(rest.metadata).toEqual({ resourceVersion: first.metadata.resourceVersion });
  server.compact(server.version);
  expect(refusalOf(() => server.list(PODS, { continue: first.metadata.continue }))).toBe("410 Expired");
});

/** The lines of a watch, as `TYPE name version`, and how it ended. */
function watch({ server }: Subject, query: Record<string, string | number | boolean>, idleTimeoutMs = 0) {
  const lines: string[] = [];
  let end = "";
  const onLine = (line: string) => {
    const { type, object } = JSON.parse(line) as {
      type: string;
      object: { reason?: string; metadata: { name?: string; resourceVersion?: string } };
    };
    lines.push(
      [type, object.metadata.name ?? object.reason ?? "", object.metadata.resourceVersion ?? ""].join(" ").trim(),
    );
  };
  const client = server.client("watcher");
  void client.watch(PODS, query, { onLine, idleTimeoutMs }).then(
    () => (end = "ended"),
    (error: unknown) => (end = error instanceof ApiError ? error.reason : String(error)),
  );
  return { lines, end: () => end };
}

it("a watch shows what came after its version, and what its selector loses as deleted", async () => {
  const subject = newServer();
  const { server, clock } = subject;
  const from = server.version;
  server.create(PODS, pod("a"));
  const { lines } = watch(subject, { resourceVersion: String(from), fieldSelector: "spec.nodeName=" });
  await clock.advance(1);
  server.bind(`${PODS}/a`, "n1");
  server.create(PODS, pod("b"));
  server.delete(`${PODS}/b`);
  await clock.advance(1);
  expect(lines).toEqual([
    `ADDED a ${from + 1}`,
    `DELETED a ${from + 2}`,
    `ADDED b ${from + 3}`,
    `MODIFIED b ${from + 4}`,
    `DELETED b ${from + 5}`,
  ]);
});

it("bookmarks come each minute and before the end, and a cut or silent watch fails", async () => {
  const subject = newServer();
  const { server, clock } = subject;
  const from = { resourceVersion: String(server.version) };
  const marked = watch(subject, { ...from, allowWatchBookmarks: true, timeoutSeconds: 130 });
  const silent = watch(subject, { ...from, timeoutSeconds: 300 }, 90_000);
  const cut = watch(subject, from);
  await clock.advance(100_000);
  expect([marked.end(), silent.end(), cut.end()]).toEqual(["", "Timeout", ""]);
  await clock.advance(30_000);
  const bookmark = `BOOKMARK  ${server.version}`;
  expect(marked.lines).toEqual([bookmark, bookmark, bookmark]);
  expect(marked.end()).toBe("ended");
  server.cut();
  await clock.settle();
  expect(cut.end()).toBe("Unreachable");
});

it("a watch from a compacted version is told to list again", async () => {
  const subject = newServer({ compactEveryMs: 60_000 });
  const { server, clock } = subject;
  const from = String(server.version);
  for (let minute = 0; minute < 4; minute++) {
    await clock.advance(60_000);
    server.create(PODS, pod(`p-${minute}`));
  }
  const { lines, end } = watch(subject, { resourceVersion: from });
  await clock.advance(1);
  expect(lines).toEqual(["ERROR Expired"]);
  expect(end()).toBe("ended");
});

it("events lag as the caller says, in order", async () => {
  const lags = [500, 0];
  const subject = newServer({ watchLagMs: () => lags.shift() ?? 0 });
  const { server, clock } = subject;
  const { lines } = watch(subject, { resourceVersion: String(server.version) });
  server.create(PODS, pod("a"));
  server.create(PODS, pod("b"));
  await clock.advance(499);
  expect(lines).toEqual([]);
  await clock.advance(1);
  expect(lines.map((line) => line.split(" ")[1])).toEqual(["a", "b"]);
});
