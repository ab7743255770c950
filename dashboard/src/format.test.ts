import assert from "node:assert/strict";
import { test } from "node:test";

import { ago, count, day, duration, eventType, instant, percent, plural, signed } from "./format.ts";

test("what nobody knows is a dash", () => {
  for (const format of [count, percent, duration, instant]) assert.equal(format(null), "–");
});

test("counts keep their digits below a million", () => {
  assert.deepEqual([0, 999, 12_345, 999_999, 1_234_567].map(count), ["0", "999", "12,345", "999,999", "1.2M"]);
});

test("almost all is not all, and a few are not none", () => {
  assert.deepEqual(
    [0, 0.0001, 0.5, 0.893, 0.99951, 1].map(percent),
    ["0%", "<0.1%", "50%", "89.3%", ">99.9%", "100%"],
  );
});

test("changes have a sign, and what multiplied says so", () => {
  assert.deepEqual([0, 0.042, -0.5, 11].map(signed), ["0%", "+4.2%", "-50%", "×12"]);
});

test("durations have the unit that people would use", () => {
  assert.deepEqual(
    [0, 1.25, 286.4, 999.6, 1_300, 59_990, 125_000, 3_600_000, 11_400_000, 200_000_000].map(duration),
    ["0 ms", "1.3 ms", "286 ms", "1,000 ms", "1.3 s", "60 s", "2 min 5 s", "1 h", "3 h 10 min", "2 d 7 h"],
  );
});

test("times are UTC", () => {
  assert.equal(instant(Date.UTC(2026, 10, 26, 23, 59, 30)), "2026-11-26 23:59");
  assert.equal(day("2026-11-26"), "Nov 26, 2026");
});

test("how long ago", () => {
  const now = Date.UTC(2026, 10, 26);
  assert.deepEqual(
    [0, 59, 61, 7_200, 90_000, 1e6].map((seconds) => ago(now - seconds * 1_000, now)),
    ["just now", "just now", "1 min ago", "2 h ago", "yesterday", "11 days ago"],
  );
});

test("names", () => {
  assert.equal(eventType("WEBSOCKET_CONNECTED"), "WebSocket connected");
  assert.equal(eventType("ACTION_FAILED"), "Action failed");
  assert.deepEqual([plural(1, "user"), plural(2, "user")], ["1 user", "2 users"]);
});
