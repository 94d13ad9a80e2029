/** An address of this machine at which kube-apiserver reaches a modelled kubelet. */
import { networkInterfaces } from "node:os";

/**
 * The first address that is neither loopback nor link-local, IPv4 before IPv6: kube-apiserver refuses to proxy to
 * others. Undefined if the machine has none.
 */
export function outsideAddress(): string | undefined {
  const global = Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, address }) => !internal && !/^(?:169\.254\.|fe[89ab])/i.test(address));
  return (global.find(({ family }) => family === "IPv4") ?? global[0])?.address;
}
