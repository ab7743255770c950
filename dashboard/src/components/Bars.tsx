import { count } from "../format.ts";

interface BarsProps {
  readonly rows: readonly { readonly name: string; readonly value: number }[];
  readonly label: string;
  readonly format?: (value: number) => string;
}

/** Quantities beside each other: names, bars and numbers. */
export function Bars({ rows, label, format = count }: BarsProps) {
  const most = Math.max(1, ...rows.map((row) => row.value));
  if (rows.length === 0) return <p className="soft">Nothing in this range.</p>;
  return (
    <ul className="bars" aria-label={label}>
      {rows.map((row) => (
        <li key={row.name} className="bar-row">
          <span className="long">{row.name}</span>
          <svg className="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
            <rect className="track" width="100" height="8" rx="1" />
            <rect className="fill" width={(row.value / most) * 100} height="8" rx="1" />
          </svg>
          <span className="number">{format(row.value)}</span>
        </li>
      ))}
    </ul>
  );
}
