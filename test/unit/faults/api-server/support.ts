/** A fake API server on a fake clock, for the tests of its rules. */
import { createFakeApiServer } from "../../../../bench/faults/api-server/api-server.ts";
import type { FakeApiServer, FakeApiServerOptions } from "../../../../bench/faults/api-server/api-server.ts";
import { Refusal } from "../../../../bench/faults/api-server/refusals.ts";
import type { KubeObject } from "../../../../src/kube/parse/kube-json.ts";
import { fakeClock, type FakeClock } from "../../../support/fake-clock.ts";

export const PODS = "/api/v1/namespaces/default/pods";
export const NODES = "/api/v1/nodes";

export interface Subject {
  readonly server: FakeApiServer;
  readonly clock: FakeClock;
}

export function newServer(options: Partial<FakeApiServerOptions> = {}): Subject {
  const clock = fakeClock();
  let seed = 1;
  const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
  return { clock, server: createFakeApiServer({ clock, random, ...options }) };
}

/** A pod of one container, with these fields of spec and these gates. */
export function pod(name: string, gates: readonly string[] = [], spec: Record<string, unknown> = {}): object {
  return {
    metadata: { name },
    spec: {
      containers: [{ name: "main", image: "app:1" }],
      ...(gates.length === 0 ? {} : { schedulingGates: gates.map((gate) => ({ name: gate })) }),
      ...spec,
    },
  };
}

/** What a request was refused with, as `status reason`; "allowed" if it was not. */
export function refusalOf(request: () => unknown): string {
  try {
    request();
    return "allowed";
  } catch (error) {
    if (error instanceof Refusal) return `${error.status} ${error.reason}`;
    throw error;
  }
}

export const versionOf = (object: KubeObject) => Number(object.metadata?.resourceVersion);
