/** What an unreadable input looks like, and which command gives one that can be read. */

const kinds: readonly (readonly [RegExp, string])[] = [
  [/^PK\u0003\u0004/, "This looks like a zip archive: unpack it, and give the files in it."],
  [
    /^\u001f(?:\ufffd|\u008b)\u0008/,
    "This looks like gzip inside gzip: run gzip -dc FILE | paceline diagnose - (and again while it stays packed).",
  ],
  [/^(?:\ufffd7zXZ|\ufffd?7zXZ)/, "This looks like xz: run xz -dc FILE | paceline diagnose -."],
  [/^\(\ufffd\/\ufffd/, "This looks like zstd: run zstd -dc FILE | paceline diagnose -."],
  [/^BZh\d/, "This looks like bzip2: run bzip2 -dc FILE | paceline diagnose -."],
  [/^LPKSHHRH/, "This looks like a file of the journal itself: run journalctl --file FILE -o json."],
  [/^%PDF-/, "This looks like a PDF: give the logs themselves."],
  [/^<(?:!doctype|html)/i, "This looks like a web page: give the raw log behind it."],
  [/ustar/, "This looks like a tar archive: unpack it, and give the files in it."],
  [
    /^# (?:HELP|TYPE) |^\w+\{[^}]*\} [\d.e+-]+$/,
    "This looks like metrics of Prometheus: they count, and tell no single start; give Events or logs.",
  ],
  [
    /^CONTAINER(?: ID)?\s+IMAGE\b/,
    "This looks like a table of crictl ps or docker ps, which shows no reasons: run crictl inspect ID for each container that exited.",
  ],
  [
    /^POD ID\s+CREATED/,
    "This looks like a table of crictl pods, which shows no reasons: run journalctl -u containerd -o json.",
  ],
  [
    /^\[ *\d+\.\d+\] /,
    "This looks like the kernel's messages: give the logs of kubelet and containerd (journalctl -u kubelet -u containerd -o json).",
  ],
  [/^(?:\w+:\s*$|-? ?\w[\w.-]*: )/, "This looks like YAML of another kind: run kubectl get pods,events -A -o yaml."],
  [/^\s*"[\w.@-]+"\s*:/, "This looks like a part of a JSON document: give the document as a whole."],
];

/** A sentence for people, or undefined when it looks like nothing that is known. */
export const looksLike = (text: string): string | undefined => kinds.find(([pattern]) => pattern.test(text))?.[1];
