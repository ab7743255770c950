import { type ReactNode, useEffect } from "react";

interface HeadProps {
  readonly title: string;
  /** What the view is about, such as its days. */
  readonly note?: ReactNode;
  readonly tools?: ReactNode;
}

/** The head of a view, and the document's title. */
export function Head({ title, note, tools }: HeadProps) {
  useEffect(() => {
    document.title = `${title.slice(0, 80)} · copilot-analytics`;
  }, [title]);
  return (
    <header className="head">
      <div className="head-title">
        <h1>{title}</h1>
        {note === undefined ? null : <p className="soft small">{note}</p>}
      </div>
      {tools === undefined ? null : <div className="tools">{tools}</div>}
    </header>
  );
}
