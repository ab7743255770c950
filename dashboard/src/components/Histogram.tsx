import { useState } from "react";

import { count } from "../format.ts";

interface Bin {
  readonly from: string;
  readonly to: string;
  readonly count: number;
}

interface HistogramProps {
  readonly label: string;
  readonly bins: readonly Bin[];
}

/** How samples are distributed; as bars, or as the table that these draw. */
export function Histogram({ label, bins }: HistogramProps) {
  const [table, setTable] = useState(false);
  const most = Math.max(1, ...bins.map((bin) => bin.count));
  const total = bins.reduce((sum, bin) => sum + bin.count, 0);
  if (total === 0) return <p className="soft">No samples in this range.</p>;
  const width = 100 / bins.length;
  return (
    <div className="grid">
      {table ? (
        <div className="chart-table" tabIndex={0} role="group" aria-label={label}>
          <table className="table">
            <thead>
              <tr>
                <th scope="col">From</th>
                <th scope="col">To</th>
                <th scope="col" className="end">
                  Count
                </th>
              </tr>
            </thead>
            <tbody>
              {bins.map((bin) => (
                <tr key={bin.from}>
                  <td>{bin.from}</td>
                  <td>{bin.to}</td>
                  <td className="end">{count(bin.count)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : (
        <div>
          <svg
            className="histogram"
            viewBox="0 0 100 100"
            preserveAspectRatio="none"
            role="img"
            aria-label={`${label}: ${count(total)} samples from ${bins[0]?.from ?? ""} to ${bins.at(-1)?.to ?? ""}`}
          >
            {bins.map((bin, index) => {
              const height = (bin.count / most) * 98;
              return (
                <rect key={bin.from} x={index * width + width * 0.08} width={width * 0.84} y={100 - height} height={height}>
                  <title>{`${bin.from} to ${bin.to}: ${count(bin.count)}`}</title>
                </rect>
              );
            })}
            <line x1="0" x2="100" y1="100" y2="100" />
          </svg>
          <p className="scale" aria-hidden="true">
            <span>{bins[0]?.from}</span>
            <span>{bins[Math.floor(bins.length / 2)]?.from}</span>
            <span>{bins.at(-1)?.to}</span>
          </p>
        </div>
      )}
      <div>
        <button type="button" className="button quiet" aria-pressed={table} onClick={() => setTable(!table)}>
          {table ? "Show as chart" : "Show as table"}
        </button>
      </div>
    </div>
  );
}
