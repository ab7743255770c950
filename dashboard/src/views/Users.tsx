import { useMemo, useState } from "react";
import { Link } from "wouter";

import { type Column, DataTable } from "../components/DataTable.tsx";
import { Head } from "../components/Head.tsx";
import { More } from "../components/More.tsx";
import { Progress } from "../components/Notice.tsx";
import { Panel } from "../components/Panel.tsx";
import { Search } from "../components/Search.tsx";
import { useOrder } from "../components/useOrder.ts";
import { ago, count, percent } from "../format.ts";
import { type UserOrder, UsersDocument, type UsersQuery } from "../generated/operations.ts";
import { useList } from "../graphql/useList.ts";
import { RangeButton } from "../range/RangeButton.tsx";
import { useRange } from "../range/useRange.ts";
import { useNow } from "../useNow.ts";
import { userPath } from "./paths.ts";

type Row = NonNullable<UsersQuery["users"]>["edges"][number]["node"];

const PAGE = 25;

const ORDERS: Readonly<Record<string, UserOrder>> = {
  messages: "MESSAGES",
  executions: "EXECUTIONS",
  failures: "FAILURES",
  errors: "ERRORS",
  connections: "CONNECTIONS",
  last: "LAST_SEEN",
};

export default function Users() {
  const { asked, linkTo } = useRange();
  const now = useNow();
  const [search, setSearch] = useState("");
  const { sorting, sort, ...order } = useOrder("executions", ORDERS);
  const list = useList(
    UsersDocument,
    { range: asked, ...order, search: search === "" ? null : search, first: PAGE },
    (data) => data.users,
  );
  const columns = useMemo<readonly Column<Row>[]>(
    () => [
      { key: "id", title: "User", main: true, by: (row) => row.userId, cell: (row) => <Link className="long mono" href={linkTo(userPath(row.userId))}>{row.userId}</Link> },
      { key: "messages", title: "Messages", end: true, by: (row) => row.messages, cell: (row) => count(row.messages) },
      { key: "executions", title: "Executions", end: true, by: (row) => row.executions, cell: (row) => count(row.executions) },
      { key: "success", title: "Success rate", end: true, by: (row) => row.successRate, cell: (row) => percent(row.successRate) },
      { key: "failures", title: "Failures", end: true, by: (row) => row.failures, cell: (row) => count(row.failures) },
      { key: "errors", title: "Errors", end: true, by: (row) => row.errors, cell: (row) => count(row.errors) },
      { key: "connections", title: "Connections", end: true, by: (row) => row.connections, cell: (row) => count(row.connections) },
      { key: "last", title: "Last seen", end: true, by: (row) => row.lastSeen, cell: (row) => ago(row.lastSeen, now) },
    ],
    [linkTo, now],
  );

  return (
    <>
      <Head title="Users" note="Those who were signed in, by their stored ids, UTC" tools={<RangeButton />} />
      <Progress answer={list.answer} />
      <Panel title="Users" flush tools={<Search label="Search ids" value={search} onSearch={setSearch} />}>
        <DataTable
          caption="Users"
          columns={columns}
          rows={list.nodes}
          rowKey={(row) => row.userId}
          sorting={sorting}
          onSort={sort}
          empty={list.answer.loading ? "…" : "No such user in this range."}
        />
        <More
          shown={list.nodes.length}
          total={list.total}
          noun="users"
          hasMore={list.hasMore}
          loading={list.loadingMore}
          onMore={list.more}
        />
      </Panel>
    </>
  );
}
