/** The steps of a certificate's life, walked through by the day. */
import { describe, expect, it } from "vitest";
import { certificateStep, type CertificateMaterial } from "../../../src/cluster/certificate-plan.ts";
import { issueServerCertificate, makeAuthority, type Authority } from "../../../src/cluster/certificates.ts";

const DAY_MS = 86_400_000;
const START_MS = Date.parse("2026-01-01T00:00:00Z");
const TIMES = { authorityDays: 365, serverDays: 90, overlapMs: 600_000 };
const names = ["paceline.paceline.svc", "10.96.0.50"];

const authorityAt = (nowMs: number) => makeAuthority({ commonName: "Paceline", days: TIMES.authorityDays, nowMs });

async function material(
  signer: Authority,
  atMs: number,
  trusted: Authority[] = [signer],
): Promise<CertificateMaterial> {
  const pair = await issueServerCertificate(signer, { names, days: TIMES.serverDays, nowMs: atMs });
  const bundle = trusted.map(({ cert }) => cert.trimEnd()).join("\n");
  return { bundle, authorityKey: trusted[0]?.key ?? "", ...pair };
}

const step = (found: CertificateMaterial | undefined, nowMs: number, wanted = names) =>
  certificateStep(found, wanted, TIMES, nowMs).kind;

describe("certificateStep", () => {
  it("starts over with nothing, with garbage, with a key that is another's, and past the authority's end", async () => {
    const found = await material(await authorityAt(START_MS), START_MS);
    expect(step(undefined, START_MS)).toBe("start-over");
    expect(step({ ...found, cert: "garbage" }, START_MS)).toBe("start-over");
    const other = await material(await authorityAt(START_MS), START_MS);
    expect(step({ ...found, key: other.key }, START_MS)).toBe("start-over");
    expect(step(found, START_MS + 366 * DAY_MS)).toBe("start-over");
  });

  it("keeps a young certificate and issues a new one at two thirds of its life, or for a new name", async () => {
    const found = await material(await authorityAt(START_MS), START_MS);
    expect(step(found, START_MS + 59 * DAY_MS)).toBe("keep");
    expect(step(found, START_MS + 60 * DAY_MS)).toBe("issue");
    expect(step(found, START_MS, [...names, "other.example.com"])).toBe("issue");
  });

  it("changes its authority in steps: trust both, wait, serve the new one's, wait, drop the old one", async () => {
    const old = await authorityAt(START_MS);
    const dueMs = START_MS + 244 * DAY_MS;
    expect(step(await material(old, dueMs - DAY_MS), dueMs)).toBe("add-authority");
    const next = await authorityAt(dueMs);
    const both = await material(old, dueMs - DAY_MS, [next, old]);
    expect(step(both, dueMs + TIMES.overlapMs - 1_000)).toBe("keep");
    expect(step(both, dueMs + TIMES.overlapMs)).toBe("issue");
    const served = await material(next, dueMs + TIMES.overlapMs, [next, old]);
    expect(step(served, dueMs + 2 * TIMES.overlapMs - 1_000)).toBe("keep");
    expect(step(served, dueMs + 2 * TIMES.overlapMs)).toBe("drop-old-authorities");
    expect(step({ ...served, bundle: next.cert }, dueMs + 2 * TIMES.overlapMs)).toBe("keep");
  });
});
