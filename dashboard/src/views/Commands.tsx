import { useMemo, useState } from "react";
import { Link } from "wouter";

import { type Column, DataTable } from "../components/DataTable.tsx";
import { Head } from "../components/Head.tsx";
import { More } from "../components/More.tsx";
import { Progress } from "../components/Notice.tsx";
import { Panel } from "../components/Panel.tsx";
import { Search } from "../components/Search.tsx";
import { useOrder } from "../components/useOrder.ts";
import { ExportButton } from "../exporting/ExportButton.tsx";
import { ago, count, duration, percent } from "../format.ts";
import { type CommandOrder, PopularCommandsDocument, type PopularCommandsQuery } from "../generated/operations.ts";
import { useList } from "../graphql/useList.ts";
import { RangeButton } from "../range/RangeButton.tsx";
import { useRange } from "../range/useRange.ts";
import { useNow } from "../useNow.ts";
import { commandPath } from "./paths.ts";

type Command = NonNullable<PopularCommandsQuery["popularCommands"]>["edges"][number]["node"];

const PAGE = 25;

/** Which order the server gives the list in, for those columns that it can order by. */
const ORDERS: Readonly<Record<string, CommandOrder>> = {
  executions: "EXECUTIONS",
  failures: "FAILURES",
  average: "LATENCY",
  users: "USERS",
};

export default function Commands() {
  const { asked, linkTo } = useRange();
  const now = useNow();
  const [search, setSearch] = useState("");
  const { sorting, sort, ...order } = useOrder("executions", ORDERS);
  const list = useList(
    PopularCommandsDocument,
    { range: asked, ...order, search: search === "" ? null : search, first: PAGE },
    (data) => data.popularCommands,
  );
  const columns = useMemo<readonly Column<Command>[]>(
    () => [
      { key: "name", title: "Command", main: true, by: (row) => row.name, cell: (row) => <Link className="long" href={linkTo(commandPath(row.name))}>{row.name}</Link> },
      { key: "executions", title: "Executions", end: true, by: (row) => row.executions, cell: (row) => count(row.executions) },
      { key: "failures", title: "Failures", end: true, by: (row) => row.failures, cell: (row) => count(row.failures) },
      { key: "success", title: "Success rate", end: true, by: (row) => row.successRate, cell: (row) => percent(row.successRate) },
      { key: "average", title: "Average", end: true, by: (row) => row.averageMs, cell: (row) => duration(row.averageMs) },
      { key: "p95", title: "p95", end: true, by: (row) => row.stats?.execution.p95Ms ?? null, cell: (row) => duration(row.stats?.execution.p95Ms) },
      { key: "users", title: "Users", end: true, by: (row) => row.stats?.users.count ?? null, cell: (row) => count(row.stats?.users.count) },
      { key: "last", title: "Last used", end: true, by: (row) => row.lastExecuted, cell: (row) => ago(row.lastExecuted, now) },
    ],
    [linkTo, now],
  );

  return (
    <>
      <Head title="Commands" note="What the copilot did, UTC" tools={<><ExportButton /><RangeButton /></>} />
      <Progress answer={list.answer} />
      <Panel title="Popular commands" flush tools={<Search label="Search commands" value={search} onSearch={setSearch} />}>
        <DataTable
          caption="Commands"
          columns={columns}
          rows={list.nodes}
          rowKey={(row) => row.name}
          sorting={sorting}
          onSort={sort}
          empty={list.answer.loading ? "…" : search === "" ? "No command ran in this range." : "No command of this range has such a name."}
        />
        <More
          shown={list.nodes.length}
          total={list.total}
          noun="commands"
          hasMore={list.hasMore}
          loading={list.loadingMore}
          onMore={list.more}
        />
      </Panel>
    </>
  );
}
