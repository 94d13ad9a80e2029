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
});
