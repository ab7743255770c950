import type { ReactNode } from "react";

import type { Answer, Problem } from "../graphql/useAnswer.ts";

interface NoticeProps {
  readonly title: string;
  readonly children: ReactNode;
  readonly kind?: "bad" | "warn";
  readonly action?: ReactNode;
}

/** Something that people should know, and what to do about it. */
export function Notice({ title, children, kind = "bad", action }: NoticeProps) {
  return (
    <div className={`notice ${kind}`} role={kind === "bad" ? "alert" : "status"}>
      <div>
        <strong>{title}</strong>
        <span className="soft">{children}</span>
      </div>
      {action}
    </div>
  );
}

/** What went wrong, with a way to try again. */
export function ProblemNotice({ problem, again }: { readonly problem: Problem; readonly again: () => void }) {
  return (
    <Notice
      title={problem.title}
      action={
        <button type="button" className="button" onClick={again}>
          Try again
        </button>
      }
    >
      {problem.advice}
    </Notice>
  );
}

/** How an answer is doing: a moving line while it is asked for, a sentence when that takes long. */
export function Progress({ answer }: { readonly answer: Answer<unknown> }) {
  return (
    <>
      <div className={answer.loading ? "busy" : "busy-space"} role="status" aria-live="polite">
        {answer.loading ? <span className="visually-hidden">Loading</span> : null}
      </div>
      {answer.loading && answer.slow ? (
        <Notice kind="warn" title="This takes longer than usual.">
          The store is still being read. A shorter range is answered faster.
        </Notice>
      ) : null}
      {answer.problem !== null && !answer.loading ? (
        <ProblemNotice problem={answer.problem} again={answer.again} />
      ) : null}
    </>
  );
}
