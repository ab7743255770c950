import { signed } from "../format.ts";

export type Better = "up" | "down" | "neither";

interface ChangeProps {
  readonly ratio: number | null | undefined;
  readonly better: Better;
}

/** How something changed against the previous period: an arrow, a sign and words, not colour alone. */
export function Change({ ratio, better }: ChangeProps) {
  if (ratio == null) return <span>no comparison</span>;
  const shown = signed(ratio);
  if (shown === "0%") return <span>unchanged</span>;
  const direction = ratio > 0 ? "up" : "down";
  const kind = better === "neither" ? "" : direction === better ? "good" : "bad";
  return (
    <span className={`change ${kind}`}>
      <span aria-hidden="true">{direction === "up" ? "▲" : "▼"} </span>
      {shown}
      <span className="visually-hidden"> against the previous period</span>
    </span>
  );
}
