import { describe, expect, test } from "vitest";
import { nodeName } from "../../../../src/core/ids.ts";
import { AdmissionClaims } from "../../../../src/core/state/admission-claims.ts";
import { aPod, aShape, bound, START_MS } from "../../../support/core-facts.ts";

const node = nodeName("old");
const podOf = (ownerName: string, name = "") => aPod(name, { shape: aShape({ ownerName }) });
const ownersOn = (claims: AdmissionClaims, nowMs = START_MS) =>
  claims.livePods(node, nowMs).map(({ shape }) => shape.ownerName);

describe("what admission has given away", () => {
  test("counts until a pod of the same owner is seen bound, one claim for each", () => {
    const claims = new AdmissionClaims();
    for (const owner of ["web", "web", "api"]) claims.add(podOf(owner), node, START_MS);
    expect(ownersOn(claims)).toEqual(["web", "web", "api"]);
    claims.resolve(bound(podOf("web", "w1"), "elsewhere")); // kube-scheduler took another node
    expect(ownersOn(claims)).toEqual(["web", "api"]);
    claims.resolve(bound(podOf("stranger", "s"), "old"));
    expect(ownersOn(claims)).toEqual(["web", "api"]);
  });

  test("counts for the leader only once the pod was really created", () => {
    const claims = new AdmissionClaims();
    for (const owner of ["web", "refused"]) claims.add(podOf(owner), node, START_MS);
    expect(claims.seenPods(node, START_MS)).toEqual([]);
    claims.see(podOf("web", "w1"));
    expect(claims.seenPods(node, START_MS).map(({ shape }) => shape.ownerName)).toEqual(["web"]);
    expect(claims.unseenPods(node, START_MS).map(({ shape }) => shape.ownerName)).toEqual(["refused"]);
    claims.resolve(bound(podOf("web", "w1"), "old"));
    expect(ownersOn(claims)).toEqual(["refused"]);
  });

  test("is forgotten after two seconds: its pod was never created, or finds no room", () => {
    const claims = new AdmissionClaims();
    claims.add(podOf("web"), node, START_MS);
    expect(ownersOn(claims, START_MS + 1_999)).toEqual(["web"]);
    expect(ownersOn(claims, START_MS + 2_000)).toEqual([]);
  });

  test("has a uid for each claim, because pods under admission have none", () => {
    const claims = new AdmissionClaims();
    for (let at = 0; at < 3; at += 1) claims.add(podOf("web"), node, START_MS);
    expect(new Set(claims.livePods(node, START_MS).map(({ uid }) => uid)).size).toBe(3);
  });

  test("goes by name where admission was told one: pods without an owner are told apart", () => {
    const claims = new AdmissionClaims();
    const naked = (name: string) => aPod(name, { shape: aShape({ ownerKind: "", ownerName: "" }) });
    const names = () => claims.livePods(node, START_MS).map(({ name }) => name);
    for (const name of ["job-a", "job-b", ""]) claims.add(naked(name), node, START_MS);
    claims.see(naked("job-b"));
    expect(claims.seenPods(node, START_MS).map(({ name }) => name)).toEqual(["job-b"]);
    claims.resolve(bound(naked("job-b"), "old"));
    expect(names()).toEqual(["job-a", ""]);
    claims.resolve(bound(naked("from-generate-name-x7"), "old"));
    expect(names()).toEqual(["job-a"]);
    claims.resolve(bound(naked("stranger"), "old"));
    expect(names()).toEqual(["job-a"]);
  });

  test("counts a pod with a name once, however often the webhook is asked; one without a name each time", () => {
    const claims = new AdmissionClaims();
    for (const name of ["db-0", "db-0", "db-1"]) claims.add(podOf("db", name), node, START_MS);
    expect(claims.livePods(node, START_MS).map(({ name }) => name)).toEqual(["db-0", "db-1"]);
    claims.see(podOf("db", "db-0"));
    claims.add(podOf("db", "db-0"), node, START_MS); // deleted and made anew
    expect(claims.livePods(node, START_MS)).toHaveLength(3);
    for (const name of ["", ""]) claims.add(podOf("web", name), node, START_MS);
    expect(claims.livePods(node, START_MS)).toHaveLength(5);
  });
});
