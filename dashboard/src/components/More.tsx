import { count } from "../format.ts";

interface MoreProps {
  readonly shown: number;
  readonly total: number | null;
  readonly noun: string;
  readonly hasMore: boolean;
  readonly loading: boolean;
  readonly onMore: () => void;
}

/** How much of a list is there, and a way to have more of it. */
export function More({ shown, total, noun, hasMore, loading, onMore }: MoreProps) {
  return (
    <div className="pager">
      <span className="soft small number" role="status">
        {total === null ? `${count(shown)} ${noun}` : `${count(shown)} of ${count(total)} ${noun}`}
      </span>
      {hasMore ? (
        <button type="button" className="button" disabled={loading} onClick={onMore}>
          {loading ? "Loading…" : "Show more"}
        </button>
      ) : null}
    </div>
  );
}
