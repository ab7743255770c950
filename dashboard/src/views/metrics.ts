/** What can be shown over time, and how. */

import { count, decimal, duration, percent, shortCount } from "../format.ts";
import type { Metric } from "../generated/operations.ts";

export interface Shown {
  readonly title: string;
  readonly format: (value: number | null) => string;
  readonly axis: (value: number) => string;
  /** Kept for single commands, too. */
  readonly byCommand: boolean;
  /** Kept by hour, too. */
  readonly byHour: boolean;
}

function shown(title: string, format: Shown["format"], axis: Shown["axis"], byCommand = false, byHour = true): Shown {
  return { title, format, axis, byCommand, byHour };
}

export const METRICS = {
  EXECUTIONS: shown("Executions", count, shortCount, true),
  FAILURES: shown("Failures", count, shortCount, true),
  SUCCESS_RATE: shown("Success rate", percent, percent, true),
  AVERAGE_EXECUTION_MS: shown("Average time", duration, duration, true),
  P95_EXECUTION_MS: shown("p95 time", duration, duration, true),
  MESSAGES: shown("Messages", count, shortCount),
  ACTIVE_USERS: shown("Active users", count, shortCount, false, false),
  ERRORS: shown("Errors", count, shortCount),
  P50_TTFT_MS: shown("Time to first token, p50", duration, duration),
  P95_TTFT_MS: shown("Time to first token, p95", duration, duration),
  STREAMS: shown("Streams", count, shortCount),
  INTERRUPTION_RATE: shown("Interrupted streams", percent, percent),
  TOKENS_PER_SECOND: shown("Tokens a second", decimal, decimal),
  CLARIFICATION_RATE: shown("Clarification rate", percent, percent),
  CONNECTIONS: shown("Connections", count, shortCount),
} satisfies Partial<Record<Metric, Shown>>;

export type ShownMetric = keyof typeof METRICS;

export const METRIC_NAMES = Object.keys(METRICS) as ShownMetric[];
