// Builds the page and GraphiQL's page into the Python package that serves them.

import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const OUT =
  process.env.COPILOT_ANALYTICS_PAGE_OUT ??
  "../graphql_schema/copilot_analytics_graphql/dashboard/built";

/** Quality 11 takes three times as long for 1.6 % less. */
const BROTLI = { params: { [constants.BROTLI_PARAM_QUALITY]: 10 } };
const COMPRESSED = /\.(css|html|js|json|map|svg|ttf|txt)$/;
const SMALLEST = 512;

/** Writes a .br and a .gz beside each file that gets smaller by it. */
function compressed(): Plugin {
  let folder = "";
  return {
    name: "compressed",
    apply: "build",
    configResolved: (config) => {
      folder = config.build.outDir;
    },
    closeBundle: () => {
      for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
        if (!COMPRESSED.test(name)) continue;
        const path = join(folder, name);
        const content = readFileSync(path);
        if (content.length < SMALLEST) continue;
        writeFileSync(`${path}.br`, brotliCompressSync(content, BROTLI));
        writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }));
      }
    },
  };
}

/** GraphiQL's CSS has its fonts within, as data: that the page's policy refuses. */
function fontsAsFiles(): Plugin {
  const embedded = /url\(["']?data:font\/(woff2?|ttf|opentype);base64,([^"')]+)["']?\)/g;
  return {
    name: "fonts-as-files",
    apply: "build",
    generateBundle(_, bundle) {
      for (const asset of Object.values(bundle)) {
        if (asset.type !== "asset" || !asset.fileName.endsWith(".css")) continue;
        asset.source = asset.source.toString().replace(embedded, (_whole, kind: string, data: string) => {
          const source = Buffer.from(data, "base64");
          const hash = createHash("sha256").update(source).digest("hex").slice(0, 10);
          const file = `font-${hash}.${kind}`;
          this.emitFile({ type: "asset", fileName: `assets/${file}`, source });
          return `url(./${file})`;
        });
      }
    },
  };
}

export default defineConfig({
  base: "./",
  plugins: [react(), fontsAsFiles(), compressed()],
  build: {
    outDir: OUT,
    emptyOutDir: true,
    manifest: "manifest.json",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 4_000, // Monaco; the page's own budget is scripts/budget.js
    rolldownOptions: {
      input: { index: "index.html", graphiql: "graphiql.html" },
      // GraphiQL's "use no memo" is for a compiler that has run already.
      checks: { moduleLevelDirective: false },
    },
  },
});
