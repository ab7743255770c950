import { useCallback, useMemo } from "react";

import { Bars } from "../components/Bars.tsx";
import { Card } from "../components/Card.tsx";
import { Chart } from "../components/Chart.tsx";
import { Head } from "../components/Head.tsx";
import { Progress } from "../components/Notice.tsx";
import { Panel } from "../components/Panel.tsx";
import { count, decimal, duration, percent } from "../format.ts";
import { StreamingDocument, type StreamingQuery } from "../generated/operations.ts";
import { useAnswer } from "../graphql/useAnswer.ts";
import { period } from "../range/label.ts";
import { between } from "../range/range.ts";
import { RangeButton } from "../range/RangeButton.tsx";
import { useRange } from "../range/useRange.ts";
import { Latency } from "./Latency.tsx";

type Answered = NonNullable<StreamingQuery["streaming"]>;

/** How fast answers begin and come, and how they end. */
export default function Streaming() {
  const { asked, interval } = useRange();
  const answer = useAnswer(StreamingDocument, { range: asked, interval });
  const streaming = answer.data?.streaming;
  return (
    <>
      <Head title="Streaming" note={streaming == null ? "UTC" : period(streaming.range)} tools={<RangeButton />} />
      <Progress answer={answer} />
      {streaming == null ? null : <Figures streaming={streaming} series={answer.data?.timeSeries ?? null} />}
    </>
  );
}

interface FiguresProps {
  readonly streaming: Answered;
  readonly series: StreamingQuery["timeSeries"];
}

function Figures({ streaming, series }: FiguresProps) {
  const { interval, setRange } = useRange();
  const lines = useMemo(() => [{ name: "Time to first token, p95", values: series?.values ?? [] }], [series]);
  const zoom = useCallback((from: number, to: number) => setRange(between(from, to)), [setRange]);
  return (
    <>
      <div className="cards">
        <Card label="Streams" value={count(streaming.started.value)} change={streaming.started.changeRatio} better="up" />
        <Card
          label="Completed"
          value={count(streaming.completed.value)}
          change={streaming.completed.changeRatio}
          better="up"
        />
        <Card
          label="Interrupted"
          value={percent(streaming.interruptionRate.value)}
          change={streaming.interruptionRate.changeRatio}
          better="down"
          note={`${count(streaming.interrupted.value)} streams`}
        />
        <Card
          label="Tokens a second"
          value={decimal(streaming.tokensPerSecond.value)}
          change={streaming.tokensPerSecond.changeRatio}
          better="up"
          note={`${count(streaming.tokens.value)} tokens of ${count(streaming.tokenStreams.value)} streams`}
        />
      </div>
      {series === null ? null : (
        <Panel title="Time to first token, p95">
          <Chart label="95th percentile of the time to first token" at={series.at} lines={lines} interval={interval} format={duration} onZoom={zoom} />
        </Panel>
      )}
      <div className="halves">
        <Latency title="Time to first token" latency={streaming.ttft} />
        <Latency title="How long answers took" latency={streaming.duration} />
      </div>
      <Panel title="How they ended">
        <Bars label="Ends by reason" rows={streaming.ends.map((each) => ({ name: each.reason, value: each.count }))} />
      </Panel>
    </>
  );
}
