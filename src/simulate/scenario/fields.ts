/** Kinds of values that several sections of a scenario have. */
import * as z from "zod";

export const Name = z.string().regex(/^[\w.:/@-]{1,253}$/, "is not a name; use letters, digits and ./:@_-");

export const ResourceName = z
  .string()
  .regex(/^[\w.-]{1,253}\/[\w.-]{1,63}$/, "is no extended resource; write domain/name, such as nvidia.com/gpu");

/** Simulated times, in seconds. No herd takes as long as a day. */
export const DAY_SECONDS = 86_400;
export const clockSeconds = () => z.number().min(-DAY_SECONDS).max(DAY_SECONDS);

export const MOST_NODES = 10_000;
