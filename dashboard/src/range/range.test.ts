import assert from "node:assert/strict";
import { test } from "node:test";

import { asked, before, between, days, interval, parseRange, rangeSearch } from "./range.ts";

test("what the address says is what it is made of", () => {
  for (const search of ["", "?range=TODAY", "?start=2026-01-01&end=2026-01-31"]) {
    assert.equal(rangeSearch(parseRange(search)), search);
  }
});

test("an address that says nonsense gives the default", () => {
  for (const search of [
    "?range=FOREVER",
    "?start=2026-02-01&end=2026-01-01",
    "?start=2026-01-01",
    "?start=2026-13-01&end=2026-13-02",
    "?start=2020-01-01&end=2026-01-01",
  ]) {
    assert.deepEqual(parseRange(search), { preset: "LAST_30_DAYS" });
  }
});

test("charts of a day or two are by hour, of a year by week", () => {
  assert.equal(interval({ preset: "YESTERDAY" }), "HOUR");
  assert.equal(interval({ start: "2026-01-01", end: "2026-01-02" }), "HOUR");
  assert.equal(interval({ preset: "LAST_90_DAYS" }), "DAY");
  assert.equal(interval({ start: "2026-01-01", end: "2026-12-31" }), "WEEK");
});

test("the days before, and those between two instants", () => {
  assert.equal(days("2026-02-27", "2026-03-01"), 3);
  assert.deepEqual(before("2026-03-01", "2026-03-31"), { start: "2026-01-29", end: "2026-02-28" });
  const range = between(Date.UTC(2026, 2, 3, 12), Date.UTC(2026, 2, 1, 12));
  assert.deepEqual(asked(range), { start: "2026-03-01", end: "2026-03-03" });
});
