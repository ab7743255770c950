import { type ReactNode, useId } from "react";

interface PanelProps {
  readonly title: ReactNode;
  readonly tools?: ReactNode;
  /** Tables reach the panel's edges. */
  readonly flush?: boolean;
  readonly children: ReactNode;
}

/** A part of a view, with its heading. */
export function Panel({ title, tools, flush = false, children }: PanelProps) {
  const id = useId();
  return (
    <section className="panel" aria-labelledby={id}>
      <div className="panel-head">
        <h2 id={id}>{title}</h2>
        {tools}
      </div>
      {flush ? children : <div className="panel-body">{children}</div>}
    </section>
  );
}
