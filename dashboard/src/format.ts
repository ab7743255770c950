/**
 * How figures are shown: everywhere alike, in UTC. A figure that nobody knows is a dash.
 */

const NONE = "–";

const whole = new Intl.NumberFormat("en");
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const one = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const percentage = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });
const change = new Intl.NumberFormat("en", {
  style: "percent",
  maximumFractionDigits: 1,
  signDisplay: "exceptZero",
});

type Maybe = number | null | undefined;

/** A count, with all its digits up to a million: 12,345; 1.2M. */
export function count(value: Maybe): string {
  if (value == null) return NONE;
  return Math.abs(value) < 1e6 ? whole.format(value) : compact.format(value);
}

/** A count, short, for axes: 12.3K. */
export function shortCount(value: Maybe): string {
  return value == null ? NONE : compact.format(value);
}

/** A ratio as percent: 0.893 is 89.3%. */
export function percent(value: Maybe): string {
  if (value == null) return NONE;
  // Not all of them is not 100 %, and some are not none.
  if (value > 0.999 && value < 1) return ">99.9%";
  if (value > 0 && value < 0.001) return "<0.1%";
  return percentage.format(value);
}

/** A change as percent, with its sign: +4.2%. */
export function signed(ratio: number): string {
  if (ratio > 9.99) return `×${one.format(ratio + 1)}`;
  return change.format(ratio);
}

/** Milliseconds: 286 ms, 1.3 s, 2 min 5 s, 3 h 10 min. */
export function duration(ms: Maybe): string {
  if (ms == null) return NONE;
  if (ms < 10 && ms > 0) return `${one.format(ms)} ms`;
  if (ms < 1_000) return `${whole.format(Math.round(ms))} ms`;
  if (ms < 60_000) return `${one.format(ms / 1_000)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return parts(Math.floor(seconds / 60), "min", seconds % 60, "s");
  const minutes = Math.round(seconds / 60);
  if (minutes < 48 * 60) return parts(Math.floor(minutes / 60), "h", minutes % 60, "min");
  return parts(Math.floor(minutes / 1_440), "d", Math.floor((minutes % 1_440) / 60), "h");
}

function parts(large: number, unit: string, small: number, smaller: string): string {
  return small === 0 ? `${whole.format(large)} ${unit}` : `${whole.format(large)} ${unit} ${small} ${smaller}`;
}

/** A rate, with at most one digit after the point. */
export function decimal(value: Maybe): string {
  return value == null ? NONE : one.format(value);
}

/** An instant in UTC: 2026-11-26 14:05. */
export function instant(ms: Maybe): string {
  return ms == null ? NONE : new Date(ms).toISOString().slice(0, 16).replace("T", " ");
}

/** The time of day in UTC, to the second: 14:05:09. */
export function timeOfDay(ms: number): string {
  return new Date(ms).toISOString().slice(11, 19);
}

/** How long ago it was: 5 min ago. */
export function ago(ms: Maybe, now: number): string {
  if (ms == null) return NONE;
  const seconds = Math.max(0, Math.round((now - ms) / 1_000));
  if (seconds < 60) return "just now";
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h ago`;
  const days = Math.floor(seconds / 86_400);
  return days === 1 ? "yesterday" : `${whole.format(days)} days ago`;
}

const dayAndMonth = new Intl.DateTimeFormat("en", { day: "numeric", month: "short", timeZone: "UTC" });
const wholeDay = new Intl.DateTimeFormat("en", {
  day: "numeric",
  month: "short",
  year: "numeric",
  timeZone: "UTC",
});

/** A day, given as YYYY-MM-DD or as an instant: 26 Nov 2026. */
export function day(value: string | number): string {
  return wholeDay.format(new Date(value));
}

/** A day without its year: Nov 26. */
export function shortDay(value: string | number): string {
  return dayAndMonth.format(new Date(value));
}

/** An event type as people write it: ACTION_FAILED is Action failed. */
export function eventType(type: string): string {
  const words = type.toLowerCase().replaceAll("_", " ").replace("websocket", "WebSocket");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** One of something, or several: 1 user, 3 users. */
export function plural(value: number, noun: string, nouns = `${noun}s`): string {
  return `${count(value)} ${value === 1 ? noun : nouns}`;
}
