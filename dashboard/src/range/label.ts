import { day } from "../format.ts";
import { PRESETS, type Range } from "./range.ts";

/** A range in words. */
export function label(range: Range): string {
  if ("preset" in range) {
    return PRESETS.find(([name]) => name === range.preset)?.[1] ?? range.preset;
  }
  return range.start === range.end ? day(range.start) : `${day(range.start)} – ${day(range.end)}`;
}

/** The days of an answer, in words. */
export function period(range: { readonly start: string; readonly end: string }): string {
  return `${label(range)}, UTC`;
}
