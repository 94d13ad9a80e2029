/** Names and uids from the caller's source of chance. */

const HEX = "0123456789abcdef";

/** What Kubernetes draws the end of generated names from: no vowels, so that no words appear. */
const NAME_LETTERS = "bcdfghjklmnpqrstvwxz2456789";

const drawn = (random: () => number, letters: string, count: number) =>
  Array.from({ length: count }, () => letters[Math.floor(random() * letters.length)] ?? letters[0]).join("");

/** A uid as Kubernetes writes it, a random UUID. */
export function newUid(random: () => number): string {
  const hex = (count: number) => drawn(random, HEX, count);
  return `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`;
}

/** `generateName` with five letters at the end; the start is cut to 58 letters. */
export function generatedName(generateName: string, random: () => number): string {
  return `${generateName.slice(0, 58)}${drawn(random, NAME_LETTERS, 5)}`;
}
