import { type EventFilter, EventsDocument } from "../generated/operations.ts";
import { useList } from "../graphql/useList.ts";
import { useRange } from "../range/useRange.ts";
import { EventList } from "./EventList.tsx";

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
  const empty = list.hasMore
    ? "None among the newest; there may be older ones."
    : "No single events are kept of these days.";
  return <EventList title={title} list={list} empty={empty} own={own} />;
}
