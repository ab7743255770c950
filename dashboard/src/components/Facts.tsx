import type { ReactNode } from "react";

/** Figures with their names, beside each other. */
export function Facts({ children }: { readonly children: ReactNode }) {
  return <dl className="facts">{children}</dl>;
}

interface FactProps {
  readonly term: string;
  readonly value: string;
  /** What else is to be said of it, smaller. */
  readonly note?: ReactNode;
}

/** One of them. */
export function Fact({ term, value, note }: FactProps) {
  return (
    <div>
      <dt>{term}</dt>
      <dd>
        {value}
        {note === undefined ? null : <span className="small soft"> {note}</span>}
      </dd>
    </div>
  );
}
