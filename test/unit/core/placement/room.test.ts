import { describe, expect, test } from "vitest";
import type { HostPort } from "../../../../src/core/facts.ts";
import { roomOf, takeRoom } from "../../../../src/core/placement/room.ts";
import { aNode, aPod, aShape, bound, changed } from "../../../support/core-facts.ts";
import { stateWith, theNode } from "../../../support/core-plan.ts";

const port = (number: number): HostPort => ({ protocol: "TCP", hostIP: "", port: number });
const claimant = (cpu: number, ...ports: number[]) =>
  aPod(`claims-${cpu}`, { shape: aShape({ requests: { cpu, pods: 1 }, hostPorts: ports.map(port) }) });

describe("the room of a node", () => {
  const node = aNode("n1", { allocatable: { cpu: 1_000, memory: 500, pods: 10 } });

  test("is what bound pods and claimants leave of the allocatable", () => {
    const state = stateWith([node], [bound(claimant(300, 80), "n1")]);
    const room = roomOf(theNode(state, "n1").entry, node, [claimant(200, 443)]);
    expect(room).toEqual({ free: { cpu: 500, memory: 500, pods: 8 }, hostPorts: [port(80), port(443)] });
  });

  test("grows again when a pod ends, and shrinks below nothing where more is bound than it can take", () => {
    const pod = bound(claimant(1_200, 80), "n1");
    const state = stateWith([node], [pod]);
    const room = () => roomOf(theNode(state, "n1").entry, node, []);
    expect(room().free["cpu"]).toBe(-200);
    state.ledger.upsertPod(changed(pod, { terminal: true }));
    expect(room()).toEqual({ free: node.allocatable, hostPorts: [] });
  });

  test("taking a part of it changes neither the node nor what is recorded of it", () => {
    const state = stateWith([node]);
    const { entry } = theNode(state, "n1");
    const room = roomOf(entry, node, []);
    takeRoom(room, claimant(400, 80));
    takeRoom(room, aPod("gpu", { shape: aShape({ requests: { "example.com/gpu": 1 } }) }));
    expect(room.free).toEqual({ cpu: 600, memory: 500, pods: 9, "example.com/gpu": -1 });
    expect(room.hostPorts).toEqual([port(80)]);
    expect(roomOf(entry, node, []).free).toEqual({ cpu: 1_000, memory: 500, pods: 10 });
    expect(node.allocatable).toEqual({ cpu: 1_000, memory: 500, pods: 10 });
  });
});
