/** One metric over the range: as a whole, by command, or beside the previous period. */

import { useCallback, useMemo, useState } from "react";

import { Chart, type Line } from "../components/Chart.tsx";
import { Progress } from "../components/Notice.tsx";
import { Panel } from "../components/Panel.tsx";
import { type Interval, TimeSeriesDocument, type TimeSeriesQuery } from "../generated/operations.ts";
import { useAnswer } from "../graphql/useAnswer.ts";
import { between } from "../range/range.ts";
import { useRange } from "../range/useRange.ts";
import { METRIC_NAMES, METRICS, type Shown, type ShownMetric } from "./metrics.ts";

interface Series {
  readonly at: readonly number[];
  readonly values: readonly (number | null)[];
}

interface Days {
  readonly start: string;
  readonly end: string;
}

interface DevelopmentProps {
  /** What the first view asked for already. */
  readonly executions: Series | null;
  readonly range: Days;
  readonly previous: Days | null;
}

const INTERVALS: readonly (readonly [Interval, string])[] = [
  ["HOUR", "Hourly"],
  ["DAY", "Daily"],
  ["WEEK", "Weekly"],
];

/** More hours than this are neither drawn nor answered well. */
const MOST_HOURLY_DAYS = 14;

export function Development({ executions, range, previous }: DevelopmentProps) {
  const { asked, interval: usual, setRange } = useRange();
  const [metric, setMetric] = useState<ShownMetric>("EXECUTIONS");
  const [chosen, setChosen] = useState<Interval | null>(null);
  const [split, setSplit] = useState(false);
  const [compared, setCompared] = useState(false);

  const shown: Shown = METRICS[metric];
  const length = Math.round((Date.parse(range.end) - Date.parse(range.start)) / 86_400_000) + 1;
  const byCommand = split && shown.byCommand;
  const hourly = length <= MOST_HOURLY_DAYS && shown.byHour && !byCommand;
  const wanted = chosen ?? usual;
  const interval: Interval = wanted === "HOUR" && !hourly ? "DAY" : wanted;

  const known = metric === "EXECUTIONS" && interval === usual && !byCommand ? executions : null;
  const answer = useAnswer(
    TimeSeriesDocument,
    { metric, range: asked, interval, ...(byCommand ? { groupBy: "COMMAND" as const, top: 5 } : {}) },
    { pause: known !== null },
  );
  const before = useAnswer(
    TimeSeriesDocument,
    { metric, range: previous === null ? null : { start: previous.start, end: previous.end }, interval },
    { pause: !compared || byCommand || previous === null },
  );

  // What is there of another metric or interval, until its own is, is not drawn under its name.
  const fits = (each: TimeSeriesQuery["timeSeries"] | undefined) =>
    each?.metric === metric && each.interval === interval ? each : null;
  const own = fits(answer.data?.timeSeries);
  const series = known ?? own;
  const parts = known === null ? own?.parts : undefined;
  const former = compared && !byCommand ? fits(before.data?.timeSeries)?.values : undefined;
  const lines = useMemo<readonly Line[]>(() => {
    if (series === null) return [];
    const found: Line[] = parts !== undefined && parts.length > 0 ? [...parts] : [{ name: shown.title, values: series.values }];
    if (former !== undefined) found.push({ name: "Previous period", values: former, former: true });
    return found;
  }, [series, parts, former, shown]);
  const zoom = useCallback(
    (from: number, to: number) => setRange(between(from, to)),
    [setRange],
  );

  return (
    <Panel
      title="Over time"
      tools={
        <div className="tools">
          <select className="select" aria-label="Metric" value={metric} onChange={(event) => setMetric(event.target.value as ShownMetric)}>
            {METRIC_NAMES.map((name) => (
              <option key={name} value={name}>
                {METRICS[name].title}
              </option>
            ))}
          </select>
          <select className="select" aria-label="Interval" value={interval} onChange={(event) => setChosen(event.target.value as Interval)}>
            {INTERVALS.map(([name, title]) => (
              <option key={name} value={name} disabled={name === "HOUR" && !hourly}>
                {title}
              </option>
            ))}
          </select>
          <button
            type="button"
            className="button"
            aria-pressed={byCommand}
            disabled={!shown.byCommand}
            onClick={() => setSplit(!split)}
          >
            By command{byCommand ? " ✓" : ""}
          </button>
          <button
            type="button"
            className="button"
            aria-pressed={compared && !byCommand}
            disabled={byCommand || previous === null}
            onClick={() => setCompared(!compared)}
          >
            Compare{compared && !byCommand ? " ✓" : ""}
          </button>
        </div>
      }
    >
      {known === null ? <Progress answer={answer} /> : null}
      {compared ? <Progress answer={before} /> : null}
      {series === null ? null : (
        <Chart
          label={`${shown.title} over time`}
          at={series.at}
          lines={lines}
          interval={interval}
          format={shown.format}
          axisFormat={shown.axis}
          onZoom={zoom}
        />
      )}
    </Panel>
  );
}
