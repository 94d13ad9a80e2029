/** What doctor sees of a webhook's certificate where it can dial the Service by its name, as in a pod. */
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer } from "node:tls";
import { expect, test } from "vitest";
import { issueServerCertificate, makeAuthority } from "../../../src/certificates/certificates.ts";
import { handshake } from "../../../src/doctor/gather/handshake.ts";

/** Dials a server whose certificate has these names, by the name `localhost`. */
async function dialled(names: readonly string[], trusts: "its own" | "another") {
  const nowMs = Date.now();
  const authority = await makeAuthority({ commonName: "a", days: 1, nowMs });
  const other = await makeAuthority({ commonName: "b", days: 1, nowMs });
  const server = createServer(await issueServerCertificate(authority, { names: [...names], days: 1, nowMs }));
  server.listen(0, "localhost");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const ca = trusts === "its own" ? authority.cert : other.cert;
  const answer = await handshake({ host: "localhost", port, ca });
  server.close();
  return answer;
}

test("a certificate of the right name and authority is trusted, and its end is known", async () => {
  const answer = await dialled(["localhost"], "its own");
  expect(answer).toMatchObject({ kind: "trusted" });
  expect(answer.kind === "trusted" && answer.certificate.toMs).toBeGreaterThan(Date.now());
});

test("one of another name is not, though the authority is right", async () => {
  expect(await dialled(["paceline.elsewhere.svc"], "its own")).toMatchObject({
    kind: "untrusted",
    why: expect.stringContaining("ALTNAME") as string,
  });
});

test("one of another authority is not", async () => {
  expect(await dialled(["localhost"], "another")).toMatchObject({ kind: "untrusted" });
});
