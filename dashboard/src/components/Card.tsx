import type { ReactNode } from "react";

import { Change, type Better } from "./Change.tsx";
import { Sparkline } from "./Sparkline.tsx";

interface CardProps {
  readonly label: string;
  readonly value: string;
  readonly change?: number | null | undefined;
  readonly better?: Better;
  readonly note?: ReactNode;
  readonly values?: readonly (number | null)[] | undefined;
}

/** One figure, how it changed and how it developed. */
export function Card({ label, value, change, better = "neither", note, values }: CardProps) {
  return (
    <article className="card" aria-label={label}>
      <h2 className="card-label">{label}</h2>
      <p className="card-value">{value}</p>
      <p className="card-note">
        <Change ratio={change} better={better} />
        {note === undefined ? null : <span>{note}</span>}
      </p>
      {values === undefined ? null : <Sparkline values={values} />}
    </article>
  );
}
