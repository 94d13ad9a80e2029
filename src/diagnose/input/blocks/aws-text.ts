/** `aws logs get-query-results` with `--output text` or `table`: a line for each field of a row. */
import { readValue } from "../../records/unwrap.ts";
import { type Block, type BlockHost, MOST_LINES } from "./block.ts";

const TEXT = /^RESULTS\t([^\t]+)\t(.*)$/;
const TABLE = /^\|+\s+(@?[A-Za-z][\w.()*@]*)\s+\|\s+(.*?)\s*\|+$/;
const NOTES =
  /^(?:STATISTICS|STATUS|QUERYLANGUAGE|RESULTS$)|^\|+\s+(?:field\s+\||results\s+\||GetQueryResults|statistics|status)/;

export function startAwsText(line: string, host: BlockHost): Block | undefined {
  return TEXT.test(line) || /^\|+\s+field\s+\|\s+value\s+\|+$/.test(line) ? new AwsText(host) : undefined;
}

class AwsText implements Block {
  readonly #host: BlockHost;
  #row = new Map<string, string>();
  #lines = 0;

  constructor(host: BlockHost) {
    this.#host = host;
  }

  push(line: string): boolean {
    if (NOTES.test(line) || /^[-+|]+$/.test(line)) return true;
    const [, field, value = ""] = TEXT.exec(line) ?? TABLE.exec(line) ?? [];
    if (field === undefined || ++this.#lines > MOST_LINES * 50) return false;
    if (this.#row.has(field)) this.#flush();
    this.#row.set(field, value);
    if (field === "@ptr") this.#flush();
    return true;
  }

  end(): void {
    this.#flush();
  }

  #flush(): void {
    if (this.#row.size > 0) readValue(Object.fromEntries(this.#row), this.#host.context, this.#host.sink);
    this.#row = new Map();
  }
}
