import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ContainerState, PodStartup, StartingContainer } from "../../../../src/core/facts.ts";
import { imageName } from "../../../../src/core/ids.ts";
import { startPhase, type Surroundings } from "../../../../src/core/state/start-phase.ts";
import { aPod, bound, START_MS } from "../../../support/core-facts.ts";

const quiet: Surroundings = { isBusy: false, cores: "free", writeMs: () => 0, toldOfMs: 30_000 };
const waiting: ContainerState = { kind: "waiting", reason: "ContainerCreating" };
const running: ContainerState = { kind: "running", sinceMs: START_MS + 1_000 };
const startedState: ContainerState = { kind: "started", sinceMs: START_MS + 1_000 };
const over = (exitCode = 0): ContainerState => ({ kind: "terminated", atMs: START_MS + 90_000, exitCode });
const one = (state: ContainerState, role: StartingContainer["role"] = "app") => ({
  ...{ role, state },
  image: imageName(role),
});
const withSandbox = (...containers: readonly StartingContainer[]): PodStartup => ({
  ...{ sandboxReady: true, sandboxSinceMs: START_MS, containers },
});
const noSandbox: PodStartup = { sandboxReady: false, sandboxSinceMs: START_MS, containers: [one(waiting)] };

const phaseOf = (startup: PodStartup | undefined, afterMs = 0, around: Partial<Surroundings> = {}) =>
  startPhase({ ...bound(aPod("p"), "n1"), startup }, { ...quiet, ...around }, START_MS + afterMs).phase;

describe("a start works", () => {
  test("from its binding until its sandbox is there, for a minute where nothing shows", () => {
    for (const startup of [undefined, noSandbox]) {
      expect([phaseOf(startup), phaseOf(startup, 59_999), phaseOf(startup, 60_000)]).toEqual([
        ...["working", "working", "waiting"],
      ]);
    }
  });

  test("longer than that only while the node's own figures show that it is busy", () => {
    expect(phaseOf(noSandbox, 200_000, { isBusy: true })).toBe("working");
    expect(phaseOf(noSandbox, 200_000, { isBusy: true, cores: "unknown" })).toBe("working");
    expect(phaseOf(noSandbox, 200_000, { isBusy: true, cores: "needed" })).toBe("working");
    expect(phaseOf(noSandbox, 200_000, { cores: "unknown" })).toBe("waiting");
  });

  test("while a container is made: a minute, and twice what its image takes to write", () => {
    const startup = withSandbox(one(waiting));
    expect([phaseOf(startup, 59_999), phaseOf(startup, 60_000)]).toEqual(["working", "waiting"]);
    const slow = { writeMs: () => 20_000 };
    expect([phaseOf(startup, 99_999, slow), phaseOf(startup, 100_000, slow)]).toEqual(["working", "waiting"]);
  });

  test("as long before its sandbox shows: kubelets 1.29 to 1.35 tell of it only once the images are there", () => {
    const slow = { writeMs: () => 20_000 };
    for (const sandboxReady of [false, undefined]) {
      const other = { ...one(waiting), image: imageName("other") };
      const startup = { ...noSandbox, sandboxReady, containers: [one(waiting), one(waiting), other] };
      expect([phaseOf(startup, 139_999, slow), phaseOf(startup, 140_000, slow)]).toEqual(["working", "waiting"]);
    }
    const behindInit = { ...noSandbox, containers: [one(waiting, "init"), one(waiting)] };
    expect([phaseOf(behindInit, 99_999, slow), phaseOf(behindInit, 100_000, slow)]).toEqual(["working", "waiting"]);
  });

  test("again when an init container has ended and the app's image comes", () => {
    const startup = withSandbox(one(over(), "init"), one(waiting));
    expect([phaseOf(startup, 90_000), phaseOf(startup, 149_999), phaseOf(startup, 150_000)]).toEqual([
      ...["working", "working", "waiting"],
    ]);
  });

  test("while one of several containers is still made", () => {
    expect(phaseOf(withSandbox(one(running), one(waiting)), 5_000)).toBe("working");
  });

  test("on a kubelet that does not tell of sandboxes, as one that has none until a container has a state", () => {
    const old = { ...withSandbox(one(waiting)), sandboxReady: undefined, sandboxSinceMs: undefined };
    expect([phaseOf(old, 59_999), phaseOf(old, 60_000)]).toEqual(["working", "waiting"]);
    expect(phaseOf({ ...old, containers: [one(startedState, "init"), one(waiting)] }, 5_000)).toBe("initialising");
  });
});

describe("a pod of which an app container has ended while others run", () => {
  test("is what these are: it may need the cores while one has yet to pass its probe", () => {
    const startup = withSandbox(one(over()), one(running));
    expect(phaseOf(startup, 91_000, { cores: "needed" })).toBe("running");
    expect([phaseOf(startup, 149_999, { cores: "unknown" }), phaseOf(startup, 91_000)]).toEqual(["running", "waiting"]);
    expect(phaseOf(withSandbox(one(over()), one(startedState)), 91_000, { cores: "needed" })).toBe("running");
  });

  test("works while one is made, whether another one has failed or not; waits where all have ended", () => {
    expect(phaseOf(withSandbox(one(over(1)), one(running)), 91_000, { cores: "needed" })).toBe("running");
    expect(phaseOf(withSandbox(one(over()), one(waiting), one(running)), 91_000)).toBe("working");
    expect(phaseOf(withSandbox(one(over()), one(over(1))), 91_000, { cores: "needed" })).toBe("waiting");
  });
});

describe("a start waits, and needs nothing of its node", () => {
  test("while an init container runs; for a while the images that come after it are told of", () => {
    for (const state of [running, startedState]) {
      const startup = withSandbox(one(state, "init"), one(waiting));
      expect([phaseOf(startup, 30_999), phaseOf(startup, 31_000)]).toEqual(["initialising", "waiting"]);
    }
  });

  test("while a sidecar runs that has not passed its probe", () => {
    expect(phaseOf(withSandbox(one(running, "sidecar"), one(waiting)), 5_000)).toBe("initialising");
    expect(phaseOf(withSandbox(one(startedState, "sidecar"), one(waiting)), 5_000)).toBe("working");
  });

  test("while a container that has failed is to be run again", () => {
    expect(phaseOf(withSandbox(one(over(1), "init"), one(waiting)), 91_000)).toBe("waiting");
    expect(phaseOf(withSandbox(one(over(1))), 91_000)).toBe("waiting");
  });
});

describe("a pod whose containers run, and whose startup probe is pending", () => {
  const startup = withSandbox(one(running));

  test("needs no disk, and cores only while they are busy", () => {
    expect(phaseOf(startup, 5_000)).toBe("waiting");
    expect(phaseOf(startup, 200_000, { isBusy: true, cores: "needed" })).toBe("running");
  });

  test("is counted for a minute where nothing is known of the cores: unknown is never idle", () => {
    const unknown = { cores: "unknown" } as const;
    expect([phaseOf(startup, 60_999, unknown), phaseOf(startup, 61_000, unknown)]).toEqual(["running", "waiting"]);
  });

  test("is counted until it is Ready where the policy says so", () => {
    expect(phaseOf(startup, 200_000, { cores: "needed" })).toBe("running");
    const ran = { ...bound(aPod("p"), "n1"), containersStarted: true };
    expect(startPhase(ran, { ...quiet, cores: "needed" }, START_MS + 200_000).phase).toBe("running");
  });
});

test("whatever its status says, a start on a quiet node ends by itself: it needs the node no longer then", () => {
  const states = fc.oneof(
    fc.record({ kind: fc.constant("waiting" as const), reason: fc.string() }),
    fc.record({
      kind: fc.constantFrom("running" as const, "started" as const),
      sinceMs: fc.option(fc.nat(), { nil: undefined }),
    }),
    fc.record({
      kind: fc.constant("terminated" as const),
      atMs: fc.option(fc.nat(), { nil: undefined }),
      exitCode: fc.option(fc.nat(2), { nil: undefined }),
    }),
  );
  const container = fc.record({
    role: fc.constantFrom("init" as const, "sidecar" as const, "app" as const),
    image: fc.constant(imageName("a")),
    state: states,
  });
  const startups = fc.record({
    sandboxReady: fc.option(fc.boolean(), { nil: undefined }),
    sandboxSinceMs: fc.option(fc.nat(), { nil: undefined }),
    containers: fc.array(container, { maxLength: 4 }),
  });
  fc.assert(
    fc.property(startups, (startup) => {
      const pod = { ...bound(aPod("p"), "n1"), startup };
      const { phase, untilMs } = startPhase(pod, quiet, START_MS);
      if (phase !== "working") return;
      expect(untilMs).toBeGreaterThan(START_MS);
      expect(startPhase(pod, quiet, untilMs - 1).phase).toBe("working");
      expect(startPhase(pod, quiet, untilMs).phase).toBe("waiting");
    }),
  );
});
