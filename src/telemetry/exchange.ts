/**
 * One HTTP request, bounded in time and size. It passes the body on in chunks as they come. It uses undici's dispatch
 * and not its request: with thousands of scrapes a second, streams and abort signals for each request cost more than
 * parsing.
 */
import type { Dispatcher } from "undici";
import { TelemetryFailure } from "./source.ts";

export interface Exchange {
  readonly dispatcher: Dispatcher;
  readonly url: string;
  /** Default GET. */
  readonly method?: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Time-out of the whole exchange: connecting, waiting and the body. */
  readonly timeoutMs: number;
  /** Largest body that is read. */
  readonly maxBytes: number;
  /** Closes the connection afterwards; for servers that are asked seldom. */
  readonly close?: boolean;
  /** Called when the head of a 200 has come. */
  readonly onHead?: () => void;
  /** Called for each chunk of the body of a 200. An error that it throws ends the exchange. */
  readonly onChunk: (chunk: Buffer) => void;
}

export interface ExchangeAnswer {
  readonly status: number;
  /** Start of the body if the status is not 200, for messages. */
  readonly excerpt: string;
}

/** Longest part of a refusal's body that is shown, in characters. */
const EXCERPT_LENGTH = 300;

/**
 * Resolves with the status when the whole answer has come.
 * @throws TelemetryFailure Unreachable, TimedOut or TooLarge; and what `onChunk` throws
 */
export function exchange(request: Exchange): Promise<ExchangeAnswer> {
  return new Promise((resolve, reject) => {
    const { dispatcher, url, timeoutMs } = request;
    const state: ExchangeState = { controller: undefined, ended: false, status: 0, bytes: 0, excerpt: "" };
    const end = (settle: () => void) => {
      if (state.ended) return;
      state.ended = true;
      clearTimeout(timer);
      settle();
    };
    const fail = (error: Error) =>
      end(() => {
        reject(error);
        state.controller?.abort(error);
      });
    const late = () => fail(new TelemetryFailure("TimedOut", `${url} did not answer within ${timeoutMs} ms`));
    const timer = setTimeout(late, timeoutMs);
    const done = () => end(() => resolve({ status: state.status, excerpt: state.excerpt }));
    try {
      dispatcher.dispatch(optionsOf(request), handlerOf(request, state, fail, done));
    } catch (error) {
      fail(unreachable(url, error));
    }
  });
}

interface ExchangeState {
  controller: Dispatcher.DispatchController | undefined;
  ended: boolean;
  status: number;
  bytes: number;
  excerpt: string;
}

function optionsOf({ url, method = "GET", headers, body, close }: Exchange): Dispatcher.DispatchOptions {
  const { origin, pathname, search } = new URL(url);
  // The exchange has its own timer, which also covers connecting and the end of the body.
  const timeouts = { headersTimeout: 0, bodyTimeout: 0 };
  return { ...timeouts, origin, path: pathname + search, method, headers, body: body ?? null, reset: close === true };
}

function handlerOf(
  request: Exchange,
  state: ExchangeState,
  fail: (error: Error) => void,
  done: () => void,
): Dispatcher.DispatchHandler {
  const guarded = (act: () => void) => {
    try {
      act();
    } catch (error) {
      fail(error instanceof Error ? error : new Error(String(error)));
    }
  };
  return {
    onRequestStart(controller) {
      state.controller = controller;
      // The request was given up while it waited for a connection.
      if (state.ended) controller.abort(new Error("given up"));
    },
    onResponseStart(_controller, status) {
      state.status = status;
      if (status === 200 && request.onHead) guarded(request.onHead);
    },
    onResponseData(_controller, chunk) {
      if (!state.ended) guarded(() => take(request, state, chunk));
    },
    onResponseEnd: done,
    onResponseError(_controller, error) {
      fail(unreachable(request.url, error));
    },
  };
}

function take({ url, maxBytes, onChunk }: Exchange, state: ExchangeState, chunk: Buffer): void {
  state.bytes += chunk.length;
  if (state.bytes > maxBytes) {
    throw new TelemetryFailure("TooLarge", `${url} sends more than ${maxBytes} bytes; ask it for less`);
  }
  if (state.status === 200) onChunk(chunk);
  else if (state.excerpt.length < EXCERPT_LENGTH) {
    state.excerpt = (state.excerpt + chunk.toString("latin1")).slice(0, EXCERPT_LENGTH);
  }
}

function unreachable(url: string, error: unknown): TelemetryFailure {
  const detail = error instanceof Error ? error.message : String(error);
  return new TelemetryFailure("Unreachable", `${url} cannot be read: ${detail}`, { cause: error });
}
