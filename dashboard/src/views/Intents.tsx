import { useMemo, useState } from "react";
import { Link } from "wouter";

import { type Column, DataTable } from "../components/DataTable.tsx";
import { Head } from "../components/Head.tsx";
import { Histogram } from "../components/Histogram.tsx";
import { More } from "../components/More.tsx";
import { Progress } from "../components/Notice.tsx";
import { Panel } from "../components/Panel.tsx";
import { Search } from "../components/Search.tsx";
import { useOrder } from "../components/useOrder.ts";
import { ago, count, percent } from "../format.ts";
import { type IntentOrder, IntentsDocument, type IntentsQuery } from "../generated/operations.ts";
import { useList } from "../graphql/useList.ts";
import { RangeButton } from "../range/RangeButton.tsx";
import { useRange } from "../range/useRange.ts";
import { useNow } from "../useNow.ts";
import { commandPath } from "./paths.ts";

type Intent = NonNullable<IntentsQuery["intents"]>["edges"][number]["node"];

const PAGE = 25;

const ORDERS: Readonly<Record<string, IntentOrder>> = {
  count: "COUNT",
  clarifications: "CLARIFICATIONS",
  rate: "CLARIFICATION_RATE",
  failures: "FAILURES",
};

export default function Intents() {
  const { asked, linkTo } = useRange();
  const now = useNow();
  const [search, setSearch] = useState("");
  const [chosen, setChosen] = useState<string | null>(null);
  const { sorting, sort, ...order } = useOrder("count", ORDERS);
  const list = useList(
    IntentsDocument,
    { range: asked, ...order, search: search === "" ? null : search, first: PAGE },
    (data) => data.intents,
  );
  const columns = useMemo<readonly Column<Intent>[]>(
    () => [
      {
        key: "name",
        title: "Intent",
        main: true,
        by: (row) => row.name,
        cell: (row) => (
          <button type="button" className="link long" onClick={() => setChosen(row.name)}>
            {row.name}
          </button>
        ),
      },
      { key: "count", title: "Count", end: true, by: (row) => row.count, cell: (row) => count(row.count) },
      { key: "rate", title: "Asked back", end: true, by: (row) => row.clarificationRate, cell: (row) => percent(row.clarificationRate) },
      { key: "executions", title: "Commands", end: true, by: (row) => row.executions, cell: (row) => count(row.executions) },
      { key: "failures", title: "Failures", end: true, by: (row) => row.failures, cell: (row) => count(row.failures) },
      {
        key: "commands",
        title: "Leads to",
        cell: (row) =>
          row.commands.length === 0 ? "–" : (
            <ul className="chips">
              {row.commands.slice(0, 3).map((command) => (
                <li key={command.name}>
                  <Link className="badge" href={linkTo(commandPath(command.name))}>{command.name}</Link>
                </li>
              ))}
            </ul>
          ),
      },
      { key: "last", title: "Last seen", end: true, by: (row) => row.lastSeen, cell: (row) => ago(row.lastSeen, now) },
    ],
    [linkTo, now],
  );
  const shown = list.nodes.find((node) => node.name === chosen) ?? list.nodes[0];

  return (
    <>
      <Head title="Intents" note="What users wanted, as the copilot understood it, UTC" tools={<RangeButton />} />
      <Progress answer={list.answer} />
      <Panel title="Intents" flush tools={<Search label="Search intents" value={search} onSearch={setSearch} />}>
        <DataTable
          caption="Intents"
          columns={columns}
          rows={list.nodes}
          rowKey={(row) => row.name}
          sorting={sorting}
          onSort={sort}
          empty={list.answer.loading ? "…" : "No such intent in this range."}
        />
        <More
          shown={list.nodes.length}
          total={list.total}
          noun="intents"
          hasMore={list.hasMore}
          loading={list.loadingMore}
          onMore={list.more}
        />
      </Panel>
      {shown === undefined ? null : (
        <Panel title={<>How sure the copilot was of “{shown.name}”</>}>
          <Histogram
            label={`Confidence of ${shown.name}`}
            bins={shown.confidence.bins.map((samples, index, bins) => ({
              from: percent(index / bins.length),
              to: percent((index + 1) / bins.length),
              count: samples,
            }))}
          />
        </Panel>
      )}
    </>
  );
}
