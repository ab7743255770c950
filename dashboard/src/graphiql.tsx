/** GraphiQL, from this server and signed in by its cookie; its own page, with its own policy. */

import "graphiql/setup-workers/vite";
import "graphiql/style.css";
import "./styles/graphiql.css";

import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import { createClient } from "graphql-ws";
import { createRoot } from "react-dom/client";

import { address, base, socketAddress } from "./base.ts";

const files: Record<string, string> = import.meta.glob("../../graphql_schema/operations/*.graphql", {
  eager: true,
  query: "?raw",
  import: "default",
});

/** The committed operations, each in a tab: the dashboard's first. */
const examples = Object.entries(files)
  .map(([path, query]) => ({ name: path.split("/").at(-1) ?? "", query }))
  .sort((a, b) => Number(b.name === "dashboard.graphql") - Number(a.name === "dashboard.graphql"));

const fetcher = createGraphiQLFetcher({
  url: address("/graphql"),
  wsClient: createClient({ url: socketAddress("/graphql"), lazy: true }),
});

const root = document.getElementById("graphiql");
if (root !== null) {
  createRoot(root).render(
    <GraphiQL
      fetcher={fetcher}
      defaultTabs={examples.map(({ query }) => ({ query }))}
      shouldPersistHeaders={false}
      isHeadersEditorEnabled={false}
    >
      <GraphiQL.Logo>
        <a href={`${base}/`}>copilot-analytics</a>
      </GraphiQL.Logo>
    </GraphiQL>,
  );
}
