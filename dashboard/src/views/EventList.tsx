import type { ReactNode } from "react";

import { More } from "../components/More.tsx";
import { Progress } from "../components/Notice.tsx";
import { Panel } from "../components/Panel.tsx";
import type { List } from "../graphql/useList.ts";
import { EventRow, type Shown } from "./EventRow.tsx";

interface EventListProps {
  readonly title: string;
  readonly list: List<Shown>;
  readonly empty: ReactNode;
  readonly own?: boolean;
}

/** A list of single events with their days, in the order in which they come. */
export function EventList({ title, list, empty, own = false }: EventListProps) {
  return (
    <Panel title={title} flush>
      <Progress answer={list.answer} />
      {list.nodes.length === 0 ? (
        <div className="empty">{list.answer.loading ? "…" : empty}</div>
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
