import { useCallback, useMemo } from "react";

import { Bars } from "../components/Bars.tsx";
import { Card } from "../components/Card.tsx";
import { Chart } from "../components/Chart.tsx";
import { Head } from "../components/Head.tsx";
import { Progress } from "../components/Notice.tsx";
import { Panel } from "../components/Panel.tsx";
import { count, duration, percent, shortCount } from "../format.ts";
import { ConnectionsDocument, type ConnectionsQuery } from "../generated/operations.ts";
import { useAnswer } from "../graphql/useAnswer.ts";
import { period } from "../range/label.ts";
import { between } from "../range/range.ts";
import { RangeButton } from "../range/RangeButton.tsx";
import { useRange } from "../range/useRange.ts";
import { Latency } from "./Latency.tsx";

type Answered = NonNullable<ConnectionsQuery["connections"]>;

/** What close codes mean, by RFC 6455 and its registry. */
const CODES: Readonly<Record<number, string>> = {
  1000: "normal",
  1001: "going away",
  1002: "protocol error",
  1003: "unsupported data",
  1005: "no code",
  1006: "lost",
  1007: "bad data",
  1008: "policy",
  1009: "too big",
  1011: "server error",
  1012: "restart",
  1013: "try later",
  1014: "bad gateway",
  1015: "TLS",
};

/** How many connections there are, how long they last, and how they end. */
export default function Connections() {
  const { asked, interval } = useRange();
  const answer = useAnswer(ConnectionsDocument, { range: asked, interval });
  const connections = answer.data?.connections;
  return (
    <>
      <Head title="Connections" note={connections == null ? "UTC" : period(connections.range)} tools={<RangeButton />} />
      <Progress answer={answer} />
      {connections == null ? null : <Figures connections={connections} series={answer.data?.timeSeries ?? null} />}
    </>
  );
}

interface FiguresProps {
  readonly connections: Answered;
  readonly series: ConnectionsQuery["timeSeries"];
}

function Figures({ connections, series }: FiguresProps) {
  const { interval, setRange } = useRange();
  const lines = useMemo(() => [{ name: "Connections", values: series?.values ?? [] }], [series]);
  const zoom = useCallback((from: number, to: number) => setRange(between(from, to)), [setRange]);
  return (
    <>
      <div className="cards">
        <Card
          label="Connections"
          value={count(connections.opened.value)}
          change={connections.opened.changeRatio}
          better="up"
          note={connections.openNow === null ? undefined : `${count(connections.openNow)} open now`}
        />
        <Card
          label="Not signed in"
          value={count(connections.anonymous.value)}
          change={connections.anonymous.changeRatio}
        />
        <Card
          label="Came back"
          value={percent(connections.reconnectRate.value)}
          change={connections.reconnectRate.changeRatio}
          better="down"
          note={`${count(connections.reconnects.value)} after a lost connection`}
        />
        <Card
          label="Median duration"
          value={duration(connections.duration.p50Ms.value)}
          change={connections.duration.p50Ms.changeRatio}
        />
      </div>
      {series === null ? null : (
        <Panel title="Connections over time">
          <Chart label="Connections over time" at={series.at} lines={lines} interval={interval} format={count} axisFormat={shortCount} onZoom={zoom} />
        </Panel>
      )}
      <div className="halves">
        <Panel title="How they ended">
          <Bars
            label="Close codes"
            rows={connections.closeCodes.map((each) => ({
              name: CODES[each.code] === undefined ? String(each.code) : `${each.code}, ${CODES[each.code]}`,
              value: each.count,
            }))}
          />
        </Panel>
        <Latency title="How long they lasted" latency={connections.duration} better="neither" />
      </div>
    </>
  );
}
