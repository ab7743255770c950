/**
 * The days that the page is about: a preset or two days, kept in the address, so that a view can be
 * shared and the back button works. All days are UTC.
 */

import type { DateRange, Interval, RangePreset } from "../generated/operations.ts";

export type Range =
  | { readonly preset: RangePreset }
  | { readonly start: string; readonly end: string };

export const PRESETS: readonly (readonly [RangePreset, string])[] = [
  ["TODAY", "Today"],
  ["YESTERDAY", "Yesterday"],
  ["LAST_7_DAYS", "Last 7 days"],
  ["LAST_30_DAYS", "Last 30 days"],
  ["LAST_90_DAYS", "Last 90 days"],
  ["THIS_MONTH", "This month"],
  ["LAST_MONTH", "Last month"],
];

export const DEFAULT_RANGE: Range = { preset: "LAST_30_DAYS" };

/** The longest range that is answered, in days. */
export const MAX_DAYS = 400;

const DAY_MS = 86_400_000;
const DAY = /^\d{4}-\d{2}-\d{2}$/;

function isDay(text: string | null): text is string {
  return text !== null && DAY.test(text) && !Number.isNaN(Date.parse(text));
}

/** The range of an address; the default where it names none that can be asked for. */
export function parseRange(search: string): Range {
  const parameters = new URLSearchParams(search);
  const start = parameters.get("start");
  const end = parameters.get("end");
  if (isDay(start) && isDay(end) && start <= end && days(start, end) <= MAX_DAYS) {
    return { start, end };
  }
  const preset = PRESETS.find(([name]) => name === parameters.get("range"))?.[0];
  return preset === undefined ? DEFAULT_RANGE : { preset };
}

/** The address's part that says it; empty for the default. */
export function rangeSearch(range: Range): string {
  if ("preset" in range) {
    return range.preset === "LAST_30_DAYS" ? "" : `?range=${range.preset}`;
  }
  return `?start=${range.start}&end=${range.end}`;
}

/** How many days from one to another, both included. */
export function days(start: string, end: string): number {
  return Math.round((Date.parse(end) - Date.parse(start)) / DAY_MS) + 1;
}

/** The range as GraphQL takes it. */
export function asked(range: Range): DateRange {
  return "preset" in range ? { preset: range.preset } : { start: range.start, end: range.end };
}

/** The width of a chart's periods: hours for a day or two, weeks where days would be too many. */
export function interval(range: Range): Interval {
  if ("preset" in range) {
    return range.preset === "TODAY" || range.preset === "YESTERDAY" ? "HOUR" : "DAY";
  }
  const length = days(range.start, range.end);
  return length <= 2 ? "HOUR" : length > 180 ? "WEEK" : "DAY";
}

/** The range of equal length before one. */
export function before(start: string, end: string): { start: string; end: string } {
  const length = days(start, end) * DAY_MS;
  return { start: shifted(start, -length), end: shifted(end, -length) };
}

function shifted(day: string, ms: number): string {
  return new Date(Date.parse(day) + ms).toISOString().slice(0, 10);
}

/** The days that lie between two instants, as after zooming into a chart. */
export function between(fromMs: number, toMs: number): Range {
  const [first, last] = fromMs <= toMs ? [fromMs, toMs] : [toMs, fromMs];
  return {
    start: new Date(first).toISOString().slice(0, 10),
    end: new Date(last).toISOString().slice(0, 10),
  };
}
