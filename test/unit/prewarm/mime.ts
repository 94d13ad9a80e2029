/** Reads MIME parts as cloud-init does: what tests need of it. */

export interface MimePart {
  readonly type: string;
  readonly content: string;
}

export function mimeParts(text: string): MimePart[] {
  const boundary = /boundary="([^"]+)"/.exec(text)?.[1];
  if (boundary === undefined || !text.startsWith("MIME-Version: 1.0\n")) throw new Error("no MIME message");
  const [, ...parts] = text.split(`\n--${boundary}`);
  if (parts.at(-1) !== "--\n") throw new Error("the message has no end");
  return parts.slice(0, -1).map((part) => {
    const [head = "", ...rest] = part.replace(/^\n/, "").split("\n\n");
    return { type: /^Content-Type: ([^;\n]+)/m.exec(head)?.[1] ?? "", content: rest.join("\n\n") };
  });
}
