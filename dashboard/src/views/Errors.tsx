import { useMemo, useState } from "react";
import { Link, useLocation, useSearch } from "wouter";

import { Change } from "../components/Change.tsx";
import { type Column, DataTable } from "../components/DataTable.tsx";
import { Head } from "../components/Head.tsx";
import { More } from "../components/More.tsx";
import { Progress } from "../components/Notice.tsx";
import { Panel } from "../components/Panel.tsx";
import { Search } from "../components/Search.tsx";
import { Sparkline } from "../components/Sparkline.tsx";
import { ExportButton } from "../exporting/ExportButton.tsx";
import { ago, count, instant } from "../format.ts";
import { ErrorPatternsDocument, type ErrorPatternsQuery, ErrorTypesDocument } from "../generated/operations.ts";
import { useAnswer } from "../graphql/useAnswer.ts";
import { useList } from "../graphql/useList.ts";
import { rangeSearch } from "../range/range.ts";
import { RangeButton } from "../range/RangeButton.tsx";
import { useRange } from "../range/useRange.ts";
import { useNow } from "../useNow.ts";
import { errorPath } from "./paths.ts";

type Pattern = NonNullable<ErrorPatternsQuery["errorPatterns"]>["edges"][number]["node"];

const PAGE = 25;

export default function Errors() {
  const { asked, range, linkTo } = useRange();
  const now = useNow();
  const [path, navigate] = useLocation();
  const errorType = new URLSearchParams(useSearch()).get("type") ?? "";
  const [search, setSearch] = useState("");
  const types = useAnswer(ErrorTypesDocument, { range: asked });
  const list = useList(
    ErrorPatternsDocument,
    {
      range: asked,
      errorType: errorType === "" ? null : errorType,
      search: search === "" ? null : search,
      first: PAGE,
    },
    (data) => data.errorPatterns,
  );
  const names = useMemo(() => {
    const found = (types.data?.dashboard?.summary.errorsByType ?? []).map((each) => each.errorType);
    return errorType === "" || found.includes(errorType) ? found : [errorType, ...found];
  }, [types.data, errorType]);
  const columns = useMemo<readonly Column<Pattern>[]>(
    () => [
      {
        key: "message",
        title: "Error",
        main: true,
        by: (row) => row.errorType,
        cell: (row) => (
          <>
            <Link className="long" href={linkTo(errorPath(row))}>{row.errorType}</Link>
            <span className="long soft small">{row.message}</span>
          </>
        ),
      },
      { key: "count", title: "Count", end: true, by: (row) => row.count, cell: (row) => count(row.count) },
      { key: "trend", title: "Trend", end: true, by: (row) => row.trend?.count.changeRatio ?? null, cell: (row) => <Trend row={row} /> },
      { key: "users", title: "Users", end: true, by: (row) => row.affectedUsers.count, cell: (row) => count(row.affectedUsers.count) },
      { key: "first", title: "First seen", end: true, by: (row) => row.firstOccurrence, cell: (row) => instant(row.firstOccurrence) },
      { key: "last", title: "Last seen", end: true, by: (row) => row.lastOccurrence, cell: (row) => ago(row.lastOccurrence, now) },
    ],
    [linkTo, now],
  );

  function choose(type: string): void {
    const parameters = new URLSearchParams(rangeSearch(range));
    if (type !== "") parameters.set("type", type);
    const text = parameters.toString();
    navigate(text === "" ? path : `${path}?${text}`);
  }

  return (
    <>
      <Head title="Errors" note="What went wrong, by normalised message, UTC" tools={<><ExportButton /><RangeButton /></>} />
      <Progress answer={list.answer} />
      <Panel
        title="Error patterns"
        flush
        tools={
          <div className="tools">
            <select className="select" aria-label="Error type" value={errorType} onChange={(event) => choose(event.target.value)}>
              <option value="">All types</option>
              {names.map((name) => (
                <option key={name} value={name}>
                  {name.length > 60 ? `${name.slice(0, 60)}…` : name}
                </option>
              ))}
            </select>
            <Search label="Search messages" value={search} onSearch={setSearch} />
          </div>
        }
      >
        <DataTable
          caption="Error patterns"
          columns={columns}
          rows={list.nodes}
          rowKey={(row) => `${row.errorType} ${row.fingerprint}`}
          sorting={{ key: "count", descending: true }}
          empty={list.answer.loading ? "…" : "No such error in this range."}
        />
        <More
          shown={list.nodes.length}
          total={list.total}
          noun="patterns"
          hasMore={list.hasMore}
          loading={list.loadingMore}
          onMore={list.more}
        />
      </Panel>
    </>
  );
}

function Trend({ row }: { readonly row: Pattern }) {
  if (row.trend === null) return "–";
  return (
    <div className="trend">
      <Sparkline values={row.trend.daily.values} />
      <span className="small">
        <Change ratio={row.trend.count.changeRatio} better="down" />
      </span>
    </div>
  );
}
