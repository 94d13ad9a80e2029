/** Addresses of the modelled exporters: 127.20.0.1 and on, 250 in each /24. */
export function loopbackAddress(index: number): string {
  return `127.${20 + Math.floor(index / 62_500)}.${Math.floor(index / 250) % 250}.${(index % 250) + 1}`;
}
