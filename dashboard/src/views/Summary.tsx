/** What an administrator opens in the morning: how much, how well, how fast, and what went wrong. */

import { useState } from "react";
import { Link } from "wouter";

import { Card } from "../components/Card.tsx";
import { DataTable, type Column } from "../components/DataTable.tsx";
import { Head } from "../components/Head.tsx";
import { Progress } from "../components/Notice.tsx";
import { Panel } from "../components/Panel.tsx";
import { ExportButton } from "../exporting/ExportButton.tsx";
import { ago, count, duration, percent, plural } from "../format.ts";
import { OverviewDocument, type OverviewQuery } from "../generated/operations.ts";
import { type Answer, useAnswer } from "../graphql/useAnswer.ts";
import { period } from "../range/label.ts";
import { RangeButton } from "../range/RangeButton.tsx";
import { useRange } from "../range/useRange.ts";
import { useNow } from "../useNow.ts";
import { Development } from "./Development.tsx";
import { NothingYet } from "./NothingYet.tsx";
import { commandPath, errorPath } from "./paths.ts";

type Dashboard = NonNullable<OverviewQuery["dashboard"]>;
type Command = Dashboard["topCommands"][number];
type Pattern = Dashboard["topErrors"][number];

export function Summary() {
  const { asked, interval } = useRange();
  const answer = useAnswer(OverviewDocument, { range: asked, interval, top: 5 });
  const dashboard = answer.data?.dashboard;
  return (
    <>
      <Head
        title="Summary"
        note={dashboard == null ? "UTC" : note(dashboard)}
        tools={
          <>
            <button type="button" className="button quiet" onClick={answer.again} disabled={answer.loading}>
              Refresh
            </button>
            <ExportButton />
            <RangeButton />
          </>
        }
      />
      <Progress answer={answer} />
      {dashboard == null || answer.data === undefined ? null : <Figures answer={answer} data={answer.data} dashboard={dashboard} />}
    </>
  );
}

function note(dashboard: Dashboard): string {
  const before = dashboard.previousRange;
  const shown = period(dashboard.range);
  return before === null ? shown : `${shown} · compared with ${period(before).replace(", UTC", "")}`;
}

interface FiguresProps {
  readonly answer: Answer<OverviewQuery>;
  readonly data: OverviewQuery;
  readonly dashboard: Dashboard;
}

function Figures({ data, dashboard }: FiguresProps) {
  const { summary } = dashboard;
  const nothing = summary.events.every((each) => each.count === 0);
  const types = summary.errorsByType.length;
  return (
    <>
      {nothing ? <NothingYet /> : null}
      <div className="cards">
        <Card
          label="Total executions"
          value={count(summary.executions.value)}
          change={summary.executions.changeRatio}
          better="up"
          values={data.executions?.values}
        />
        <Card
          label="Success rate"
          value={percent(summary.successRate.value)}
          change={summary.successRate.changeRatio}
          better="up"
          values={data.successRate?.values}
        />
        <Card
          label="Average response time"
          value={duration(summary.execution.averageMs.value)}
          change={summary.execution.averageMs.changeRatio}
          better="down"
          note={`p95 ${duration(summary.execution.p95Ms.value)}`}
          values={data.average?.values}
        />
        <Card
          label="Total errors"
          value={count(summary.errors.value)}
          change={summary.errors.changeRatio}
          better="down"
          note={plural(types, "type")}
          values={data.errors?.values}
        />
        <Card
          label="Messages"
          value={count(summary.messages.value)}
          change={summary.messages.changeRatio}
          better="up"
          values={data.messages?.values}
        />
        <Card
          label="Active users"
          value={`${summary.activeUsersExact ? "" : "≈ "}${count(summary.activeUsers.value)}`}
          change={summary.activeUsers.changeRatio}
          better="up"
          note={summary.activeUsersExact ? undefined : "within 2.3%"}
          values={data.activeUsers?.values}
        />
        <Card
          label="Time to first token"
          value={duration(summary.ttft.p50Ms.value)}
          change={summary.ttft.p50Ms.changeRatio}
          better="down"
          note={`p95 ${duration(summary.ttft.p95Ms.value)}`}
          values={data.ttft?.values}
        />
        <Card
          label="Interrupted streams"
          value={percent(summary.interruptionRate.value)}
          change={summary.interruptionRate.changeRatio}
          better="down"
          note={`of ${count(summary.streams.value)}`}
          values={data.interrupted?.values}
        />
      </div>
      <Development
        executions={data.executions ?? null}
        range={dashboard.range}
        previous={dashboard.previousRange}
      />
      <div className="halves">
        <TopCommands rows={dashboard.topCommands} />
        <TopErrors rows={dashboard.topErrors} />
      </div>
    </>
  );
}

function TopCommands({ rows }: { readonly rows: readonly Command[] }) {
  const { linkTo } = useRange();
  const now = useNow();
  const [columns] = useState<readonly Column<Command>[]>(() => [
    { key: "name", title: "Command", main: true, by: (row) => row.name, cell: (row) => <Link className="long" href={linkTo(commandPath(row.name))}>{row.name}</Link> },
    { key: "executions", title: "Executions", end: true, by: (row) => row.executions, cell: (row) => count(row.executions) },
    { key: "success", title: "Success", end: true, by: (row) => row.successRate, cell: (row) => percent(row.successRate) },
    { key: "average", title: "Average", end: true, by: (row) => row.averageMs, cell: (row) => duration(row.averageMs) },
    { key: "p95", title: "p95", end: true, by: (row) => row.stats?.execution.p95Ms ?? null, cell: (row) => duration(row.stats?.execution.p95Ms) },
    { key: "last", title: "Last used", end: true, by: (row) => row.lastExecuted, cell: (row) => ago(row.lastExecuted, now) },
  ]);
  return (
    <Panel title="Popular commands" flush tools={<Link className="small" href={linkTo("/commands")}>All commands</Link>}>
      <DataTable
        caption="The most executed commands"
        columns={columns}
        rows={rows}
        rowKey={(row) => row.name}
        sorting={{ key: "executions", descending: true }}
        empty="No command ran in this range."
      />
    </Panel>
  );
}

function TopErrors({ rows }: { readonly rows: readonly Pattern[] }) {
  const { linkTo } = useRange();
  const now = useNow();
  const [columns] = useState<readonly Column<Pattern>[]>(() => [
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
    { key: "users", title: "Users", end: true, by: (row) => row.affectedUsers.count, cell: (row) => count(row.affectedUsers.count) },
    { key: "last", title: "Last seen", end: true, by: (row) => row.lastOccurrence, cell: (row) => ago(row.lastOccurrence, now) },
  ]);
  return (
    <Panel title="Error patterns" flush tools={<Link className="small" href={linkTo("/errors")}>All errors</Link>}>
      <DataTable
        caption="The most frequent error patterns"
        columns={columns}
        rows={rows}
        rowKey={(row) => `${row.errorType} ${row.fingerprint}`}
        sorting={{ key: "count", descending: true }}
        empty="No error in this range."
      />
    </Panel>
  );
}
