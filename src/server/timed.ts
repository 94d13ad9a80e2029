/** Wraps a handler with its metrics. */
import type { FastifyRequest } from "fastify";
import { WireError } from "../api/wire-error.ts";
import type { Handler, Metrics } from "./metrics.ts";

/** Makes a route handler that answers a body from memory. It measures the time and counts malformed bodies. */
export function timed<Answer>(
  { handlerSeconds, malformedRequests }: Metrics,
  handler: Handler,
  answer: (body: unknown) => Answer,
) {
  return (request: FastifyRequest): Answer => {
    const stop = handlerSeconds.startTimer({ handler });
    try {
      return answer(request.body);
    } catch (error) {
      if (error instanceof WireError) malformedRequests.inc({ handler });
      throw error;
    } finally {
      stop();
    }
  };
}
