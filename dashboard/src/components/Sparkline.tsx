/** How a figure developed, without axes: the figure itself is beside it. */

const WIDTH = 100;
const HEIGHT = 30;

type Values = readonly (number | null)[];

/** The runs of values between gaps, as points of the drawing. */
function runs(values: Values): string[][] {
  const known = values.filter((value) => value !== null);
  const top = Math.max(...known, 0);
  const bottom = Math.min(...known, 0);
  const height = top - bottom || 1;
  const step = WIDTH / Math.max(values.length - 1, 1);
  const found: string[][] = [];
  let run: string[] | null = null;
  values.forEach((value, index) => {
    if (value === null) {
      run = null;
      return;
    }
    if (run === null) found.push((run = []));
    run.push(`${(index * step).toFixed(2)} ${(HEIGHT - ((value - bottom) / height) * HEIGHT).toFixed(2)}`);
  });
  return found;
}

export function Sparkline({ values }: { readonly values: Values | undefined }) {
  const found = runs(values ?? []);
  return (
    <svg
      className="sparkline"
      viewBox={`0 -1 ${WIDTH} ${HEIGHT + 2}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      {found.map((run) => {
        const first = run[0]?.split(" ")[0] ?? "0";
        const last = run.at(-1)?.split(" ")[0] ?? "0";
        const path = run.length === 1 ? `M${run[0]} h1` : `M${run.join("L")}`;
        return (
          <g key={first}>
            <path className="area" d={`${path}L${last} ${HEIGHT}L${first} ${HEIGHT}z`} />
            <path d={path} />
          </g>
        );
      })}
    </svg>
  );
}
