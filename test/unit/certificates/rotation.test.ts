/** The steps of a certificate's life, day by day. */
import { describe, expect, it } from "vitest";
import { certificateStep, type CertificateMaterial } from "../../../src/certificates/rotation.ts";
import { issueServerCertificate, makeAuthority, type Authority } from "../../../src/certificates/certificates.ts";

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

const step = (found: CertificateMaterial | undefined, nowMs: number, { wanted = names, trustedForMs = 0 } = {}) =>
  certificateStep(found, TIMES, { names: wanted, trustedForMs, nowMs }).kind;

describe("certificateStep", () => {
  it("starts over with no files, with garbage, with a foreign key, and after the authority has expired", async () => {
    const found = await material(await authorityAt(START_MS), START_MS);
    expect(step(undefined, START_MS)).toBe("start-over");
    expect(step({ ...found, cert: "garbage" }, START_MS)).toBe("start-over");
    const other = await material(await authorityAt(START_MS), START_MS);
    expect(step({ ...found, key: other.key }, START_MS)).toBe("start-over");
    expect(step(found, START_MS + 366 * DAY_MS)).toBe("start-over");
    // A clock that was ahead has made it: clients refuse what is not valid yet.
    expect(step(found, START_MS - 30 * DAY_MS)).toBe("start-over");
  });

  it("keeps a young certificate and issues a new one at two thirds of its life, or for a new name", async () => {
    const found = await material(await authorityAt(START_MS), START_MS);
    expect(step(found, START_MS + 59 * DAY_MS)).toBe("keep");
    expect(step(found, START_MS + 60 * DAY_MS)).toBe("issue");
    expect(step(found, START_MS, { wanted: [...names, "other.example.com"] })).toBe("issue");
  });

  it("changes its authority in steps: trust both, wait, serve the new one's, drop the old one after it has expired", async () => {
    const old = await authorityAt(START_MS);
    const dueMs = START_MS + 244 * DAY_MS;
    expect(step(await material(old, dueMs - DAY_MS), dueMs)).toBe("add-authority");
    const next = await authorityAt(dueMs);
    const both = await material(old, dueMs - DAY_MS, [next, old]);
    // The time since the authority became trusted counts, not its age.
    expect(step(both, dueMs + DAY_MS, { trustedForMs: TIMES.overlapMs - 1 })).toBe("keep");
    expect(step(both, dueMs + DAY_MS, { trustedForMs: TIMES.overlapMs })).toBe("issue");
    const served = await material(next, dueMs + 100 * DAY_MS, [next, old]);
    expect(step(served, START_MS + 364 * DAY_MS)).toBe("keep");
    expect(step(served, START_MS + 365 * DAY_MS)).toBe("drop-expired-authorities");
    expect(step({ ...served, bundle: next.cert }, START_MS + 365 * DAY_MS)).toBe("keep");
  });

  it("does not serve a certificate of an authority that is not trusted yet, unless the served one has expired", async () => {
    const old = await authorityAt(START_MS);
    const next = await authorityAt(START_MS + 10 * DAY_MS);
    const found = await material(old, START_MS, [next, old]);
    expect(step(found, START_MS + 61 * DAY_MS)).toBe("keep"); // due
    expect(step(found, START_MS + 11 * DAY_MS, { wanted: [...names, "other.example.com"] })).toBe("keep");
    expect(step(found, START_MS + 90 * DAY_MS)).toBe("issue");
  });

  it("renews the server's certificate before it adds an authority, so that the certificate lasts through the overlap", async () => {
    const old = await authorityAt(START_MS);
    const nowMs = START_MS + 244 * DAY_MS;
    expect(step(await material(old, nowMs - 61 * DAY_MS), nowMs)).toBe("issue");
  });
});
