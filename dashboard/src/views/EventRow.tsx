import { Link } from "wouter";

import { count, decimal, duration, eventType, instant, percent, timeOfDay } from "../format.ts";
import type { EventsQuery } from "../generated/operations.ts";
import { useRange } from "../range/useRange.ts";
import { conversationPath, userPath } from "./paths.ts";

type Node = NonNullable<EventsQuery["events"]>["edges"][number]["node"];

/** What rows need of an event; a conversation's have no user, for all are of one. */
export type Shown = Pick<Node, "id" | "eventType" | "timestamp"> &
  Partial<Pick<Node, "userId" | "conversationId">> & { readonly metadata: Partial<Node["metadata"]> };

interface EventRowProps {
  readonly event: Shown;
  /** Whether its time says its day, too. */
  readonly dated?: boolean;
  /** Whether those who see it see only themselves. */
  readonly own?: boolean;
}

const TROUBLES = new Set(["ACTION_FAILED", "ERROR_OCCURRED", "STREAMING_INTERRUPTED", "MULTI_STEP_FAILED"]);
const SUCCESSES = new Set(["ACTION_EXECUTED", "STREAMING_COMPLETED", "MULTI_STEP_COMPLETED"]);

/** What is known of an event, as words. */
function details(metadata: Shown["metadata"]): readonly string[] {
  const found: string[] = [];
  const add = (value: unknown, text: (known: number) => string) => {
    if (typeof value === "number") found.push(text(value));
  };
  if (metadata.commandName != null) found.push(metadata.commandName);
  if (metadata.intent != null && metadata.intent !== metadata.commandName) found.push(metadata.intent);
  add(metadata.confidence, (value) => `${percent(value)} sure`);
  if (metadata.errorType != null) found.push(metadata.errorType);
  if (metadata.errorMessage != null && metadata.errorMessage !== "") found.push(metadata.errorMessage);
  add(metadata.executionMs, (value) => `took ${duration(value)}`);
  add(metadata.ttftMs, (value) => `first token after ${duration(value)}`);
  add(metadata.durationMs, (value) => `lasted ${duration(value)}`);
  add(metadata.tokenCount, (value) => `${decimal(value)} tokens`);
  add(metadata.messageLength, (value) => `${count(value)} characters`);
  if (metadata.endReason != null) found.push(metadata.endReason);
  add(metadata.closeCode, (value) => `closed with ${value}`);
  for (const extra of metadata.extra ?? []) found.push(`${extra.name}: ${extra.value}`);
  return found;
}

export function EventRow({ event, dated = false, own = false }: EventRowProps) {
  const { linkTo } = useRange();
  const kind = TROUBLES.has(event.eventType) ? "bad" : SUCCESSES.has(event.eventType) ? "good" : "";
  const signedIn = event.userId?.startsWith("anonymous:") === false;
  return (
    <li className={dated ? "event-row dated" : "event-row"}>
      <time className="soft number small" dateTime={new Date(event.timestamp).toISOString()}>
        {dated ? instant(event.timestamp) : timeOfDay(event.timestamp)}
      </time>
      <span>
        <span className={`badge ${kind}`}>{eventType(event.eventType)}</span>
      </span>
      <span className="event-details">
        {details(event.metadata).map((text, index) => (
          <span key={index} className="long">
            {text}
          </span>
        ))}
        {event.userId === undefined || own ? null : signedIn ? (
          <Link className="soft" href={linkTo(userPath(event.userId))}>{event.userId}</Link>
        ) : (
          <span className="soft">not signed in</span>
        )}
        {event.conversationId == null || event.userId === undefined ? null : (
          <Link className="small" href={linkTo(conversationPath(own ? null : event.userId, event.conversationId))}>
            Conversation
          </Link>
        )}
      </span>
    </li>
  );
}
