import { useCallback, useMemo } from "react";
import { Link } from "wouter";

import { Bars } from "../components/Bars.tsx";
import { Chart } from "../components/Chart.tsx";
import { Fact, Facts } from "../components/Facts.tsx";
import { Head } from "../components/Head.tsx";
import { Histogram } from "../components/Histogram.tsx";
import { Progress } from "../components/Notice.tsx";
import { Panel } from "../components/Panel.tsx";
import { count, duration, instant, percent, shortCount } from "../format.ts";
import { CommandStatsDocument, type CommandStatsQuery } from "../generated/operations.ts";
import { useAnswer } from "../graphql/useAnswer.ts";
import { between } from "../range/range.ts";
import { RangeButton } from "../range/RangeButton.tsx";
import { useRange } from "../range/useRange.ts";

type Stats = NonNullable<CommandStatsQuery["commandStats"]>;

/** One command: how often, how well, how fast, for whom. */
export default function Command({ name }: { readonly name: string }) {
  const { asked, interval: usual, linkTo } = useRange();
  const interval = usual === "HOUR" ? "DAY" : usual;
  const answer = useAnswer(CommandStatsDocument, { name, range: asked, interval });
  const stats = answer.data?.commandStats;
  return (
    <>
      <Head
        title={name}
        note={<Link href={linkTo("/commands")}>Commands</Link>}
        tools={<RangeButton />}
      />
      <Progress answer={answer} />
      {stats == null ? null : stats.executions === 0 ? (
        <div className="panel empty">This command never ran in these days.</div>
      ) : (
        <Figures stats={stats} interval={interval} />
      )}
    </>
  );
}

function Figures({ stats, interval }: { readonly stats: Stats; readonly interval: "DAY" | "WEEK" }) {
  const { setRange } = useRange();
  const at = stats.executed?.at ?? [];
  const counts = useMemo(
    () => [
      { name: "Executions", values: stats.executed?.values ?? [] },
      { name: "Failures", values: stats.failed?.values ?? [] },
    ],
    [stats],
  );
  const times = useMemo(() => [{ name: "p95 time", values: stats.slow?.values ?? [] }], [stats]);
  const zoom = useCallback((from: number, to: number) => setRange(between(from, to)), [setRange]);
  const { execution } = stats;
  return (
    <>
      <Panel title="In these days">
        <Facts>
          <Fact term="Executions" value={count(stats.executions)} />
          <Fact term="Success rate" value={percent(stats.successRate)} />
          <Fact term="Failures" value={count(stats.failures)} />
          <Fact term="Average time" value={duration(execution.averageMs)} />
          <Fact term="p50" value={duration(execution.p50Ms)} />
          <Fact term="p95" value={duration(execution.p95Ms)} />
          <Fact term="p99" value={duration(execution.p99Ms)} />
          <Fact term="Users" value={`${stats.users.exact ? "" : "≈ "}${count(stats.users.count)}`} />
          <Fact term="Last used, UTC" value={instant(stats.lastExecuted)} />
        </Facts>
      </Panel>
      <Panel title="Executions and failures">
        <Chart label="Executions and failures over time" at={at} lines={counts} interval={interval} format={count} axisFormat={shortCount} onZoom={zoom} />
      </Panel>
      <div className="halves">
        <Panel title="How long it took">
          <Histogram
            label="Execution times"
            bins={stats.histogram.map((bin) => ({
              from: duration(bin.fromMs),
              to: duration(bin.toMs),
              count: bin.count,
            }))}
          />
        </Panel>
        <Panel title="Errors it raised">
          <Bars label="Errors by type" rows={stats.errorsByType.map((each) => ({ name: each.errorType, value: each.count }))} />
        </Panel>
      </div>
      <Panel title="p95 time">
        <Chart label="95th percentile of the time over time" small at={at} lines={times} interval={interval} format={duration} onZoom={zoom} />
      </Panel>
    </>
  );
}
