/** Routes that demand a client certificate. Fails closed: a call without one gets 403. */
import { TLSSocket } from "node:tls";
import type { FastifyInstance } from "fastify";

/** The sender's certificate is missing, has ended, or is not signed by the client CA. */
class ClientCertificateError extends Error {
  override readonly name = "ClientCertificateError";
  readonly statusCode = 403;
}

/** Makes every route of the scope refuse requests without a client certificate that the client CA has signed. */
export function demandClientCertificate(scope: FastifyInstance): void {
  scope.addHook("onRequest", ({ socket }, _reply, next) => {
    if (socket instanceof TLSSocket && socket.authorized) next();
    else next(new ClientCertificateError("needs a client certificate that --client-ca-file has signed"));
  });
}
