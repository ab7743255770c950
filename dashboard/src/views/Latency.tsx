import { type Better, Change } from "../components/Change.tsx";
import { Panel } from "../components/Panel.tsx";
import { count, duration } from "../format.ts";
import type { StreamingQuery } from "../generated/operations.ts";

type Measured = NonNullable<StreamingQuery["streaming"]>["ttft"];

interface LatencyProps {
  readonly title: string;
  readonly latency: Measured;
  readonly better?: Better;
}

/** How long something took: average and percentiles, beside the previous period's. */
export function Latency({ title, latency, better = "down" }: LatencyProps) {
  const rows = [
    ["Average", latency.averageMs],
    ["p50", latency.p50Ms],
    ["p95", latency.p95Ms],
    ["p99", latency.p99Ms],
  ] as const;
  return (
    <Panel title={title} flush>
      <div className="table-box" tabIndex={0} role="group" aria-label={title}>
        <table className="table">
          <caption className="visually-hidden">{title}</caption>
          <thead>
            <tr>
              <th scope="col">{count(latency.count.value)} samples</th>
              <th scope="col" className="end">Time</th>
              <th scope="col" className="end">Before</th>
              <th scope="col" className="end">Change</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(([name, measure]) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td className="end">{duration(measure.value)}</td>
                <td className="end">{duration(measure.previous)}</td>
                <td className="end">
                  <Change ratio={measure.changeRatio} better={better} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}
