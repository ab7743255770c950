import { More } from "../components/More.tsx";
import { Progress } from "../components/Notice.tsx";
import { Panel } from "../components/Panel.tsx";
import { type EventFilter, EventsDocument } from "../generated/operations.ts";
import { useList } from "../graphql/useList.ts";
import { useRange } from "../range/useRange.ts";
import { EventRow } from "./EventRow.tsx";

interface EventsProps {
  readonly title: string;
  readonly filter: EventFilter;
  readonly own?: boolean;
}

const PAGE = 25;

/** Single events, newest first. */
export function Events({ title, filter, own = false }: EventsProps) {
  const { asked } = useRange();
  const list = useList(EventsDocument, { filter, range: asked, first: PAGE }, (data) => data.events);
  return (
    <Panel title={title} flush>
      <Progress answer={list.answer} />
      {list.nodes.length === 0 ? (
        <div className="empty">{list.answer.loading ? "…" : list.hasMore ? "None among the newest; there may be older ones." : "No single events are kept of these days."}</div>
      ) : (
        <ul className="event-list" aria-label={title}>
          {list.nodes.map((event) => (
            <EventRow key={event.id} event={event} dated own={own} />
          ))}
        </ul>
      )}
      <More
        shown={list.nodes.length}
        total={null}
        noun="events"
        hasMore={list.hasMore}
        loading={list.loadingMore}
        onMore={list.more}
      />
    </Panel>
  );
}
