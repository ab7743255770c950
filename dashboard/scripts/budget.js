// Fails when the first view's JavaScript outgrows what it may have: what index.html loads before
// anything is shown, with all that this imports statically, as brotli has it. GraphiQL has a page of
// its own, and no budget.

import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";

const KIB = 1024;
const BUDGET = 130 * KIB;
const built =
  process.env.COPILOT_ANALYTICS_PAGE_OUT ??
  "../graphql_schema/copilot_analytics_graphql/dashboard/built";
const manifest = JSON.parse(readFileSync(join(built, "manifest.json"), "utf8"));

function reached(name, found = new Set()) {
  if (found.has(name)) return found;
  found.add(name);
  for (const imported of manifest[name].imports ?? []) reached(imported, found);
  return found;
}

function size(file) {
  const path = join(built, file);
  return (statSync(`${path}.br`, { throwIfNoEntry: false }) ?? statSync(path)).size;
}

const files = [...reached("index.html")].map((name) => manifest[name].file);
const total = files.reduce((sum, file) => sum + size(file), 0);
console.log(`First view: ${(total / KIB).toFixed(1)} KiB of JavaScript in brotli, of ${BUDGET / KIB}.`);
if (total > BUDGET) {
  for (const file of files) console.error(`  ${(size(file) / KIB).toFixed(1)} KiB ${file}`);
  process.exit(1);
}
