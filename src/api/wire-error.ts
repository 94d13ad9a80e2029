/** The error of a malformed request body: says what was expected and lists every place that is wrong. */

/** A request body does not follow the protocol. The answer is status 400. */
export class WireError extends Error {
  override readonly name = "WireError";
  readonly statusCode = 400;
}

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** Makes the error for a document of the kind `expected` from the issues that a validator found. */
export function wireError(expected: string, issues: readonly Issue[]): WireError {
  const places = issues.map(
    ({ path, message }) => `${path.length > 0 ? path.map(String).join(".") : "body"}: ${message}`,
  );
  return new WireError(`not a valid ${expected}: ${places.join("; ")}`);
}
