/** Events as they are recorded, and counters that move; to be held, and lost with a word. */

import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from "react";
import { useSubscription } from "urql";

import { Card } from "../components/Card.tsx";
import { Head } from "../components/Head.tsx";
import { Notice, ProblemNotice } from "../components/Notice.tsx";
import { Panel } from "../components/Panel.tsx";
import { count, eventType as inWords, percent, plural } from "../format.ts";
import {
  DashboardUpdatedDocument,
  EventRecordedDocument,
  type EventRecordedSubscription,
  type EventType,
} from "../generated/operations.ts";
import { line } from "../graphql/socket.ts";
import { problemOf } from "../graphql/useAnswer.ts";
import { useSession } from "../session.ts";
import { EventRow } from "./EventRow.tsx";

type Recorded = NonNullable<EventRecordedSubscription["eventRecorded"]>;

const KEPT = 200;
const EVERY_SECONDS = 2;

const TYPES: readonly EventType[] = [
  "MESSAGE_SENT",
  "INTENT_CLASSIFIED",
  "ACTION_EXECUTED",
  "ACTION_FAILED",
  "CLARIFICATION_REQUESTED",
  "STREAMING_STARTED",
  "STREAMING_COMPLETED",
  "STREAMING_INTERRUPTED",
  "MULTI_STEP_STARTED",
  "MULTI_STEP_COMPLETED",
  "MULTI_STEP_FAILED",
  "ERROR_OCCURRED",
  "WEBSOCKET_CONNECTED",
  "WEBSOCKET_DISCONNECTED",
];

interface Tail {
  readonly events: readonly Recorded["event"][];
  readonly missed: number;
}

const NOTHING: Tail = { events: [], missed: 0 };

function added(tail: Tail, recorded: Recorded): Tail {
  return {
    events: [recorded.event, ...tail.events].slice(0, KEPT),
    missed: tail.missed + recorded.missed,
  };
}

export default function Live() {
  const { session, expire } = useSession();
  const state = useSyncExternalStore(line.subscribe, line.get);
  useEffect(() => {
    if (state === "expired") expire();
  }, [state, expire]);
  return (
    <>
      <Head title="Live" note="What happens now, UTC" tools={<LineState />} />
      {state === "lost" ? (
        <Notice kind="warn" title="The connection was lost.">
          It is tried again by itself; what happened meanwhile is not shown here, but is recorded all the same.
        </Notice>
      ) : null}
      {session.role === "admin" ? <Counters /> : null}
      <EventTail />
    </>
  );
}

function LineState() {
  const state = useSyncExternalStore(line.subscribe, line.get);
  const words = { closed: "Not connected", connecting: "Connecting…", open: "Connected", lost: "Reconnecting…", expired: "Session ended" };
  return (
    <span className={`badge ${state === "open" ? "good" : state === "connecting" ? "" : "warn"}`} role="status">
      {words[state]}
    </span>
  );
}

/** Today's figures, looked at every two seconds. */
function Counters() {
  const [variables] = useState(() => ({ range: { preset: "TODAY" as const }, top: 1, every: EVERY_SECONDS }));
  const [{ data, error }, again] = useSubscription({ query: DashboardUpdatedDocument, variables });
  const summary = data?.dashboardUpdated?.summary;
  if (error !== undefined) return <ProblemNotice problem={problemOf(error)} again={() => again()} />;
  return (
    <div className="cards">
      <Card label="Executions today" value={count(summary?.executions.value)} change={summary?.executions.changeRatio} better="up" />
      <Card label="Success rate today" value={percent(summary?.successRate.value)} change={summary?.successRate.changeRatio} better="up" />
      <Card label="Errors today" value={count(summary?.errors.value)} change={summary?.errors.changeRatio} better="down" />
      <Card label="Messages today" value={count(summary?.messages.value)} change={summary?.messages.changeRatio} better="up" />
    </div>
  );
}

function EventTail() {
  const { session } = useSession();
  const [held, setHeld] = useState(false);
  const [type, setType] = useState<EventType | "">("");
  const [tail, setTail] = useState<Tail>(NOTHING);
  // What came while the list was held: shown when it goes on.
  const waiting = useRef<Recorded[]>([]);
  const [waits, setWaits] = useState(0);
  const holding = useRef(held);

  const variables = useMemo(() => ({ filter: type === "" ? null : { eventType: type } }), [type]);
  const handle = useCallback((_: unknown, data: EventRecordedSubscription) => {
    const recorded = data.eventRecorded;
    if (recorded === null) return data;
    if (holding.current) {
      waiting.current = [...waiting.current, recorded].slice(-KEPT);
      setWaits((before) => before + 1);
    } else setTail((before) => added(before, recorded));
    return data;
  }, []);
  const [{ error }, again] = useSubscription({ query: EventRecordedDocument, variables }, handle);

  function hold(): void {
    holding.current = !held;
    if (held) {
      const came = waiting.current;
      waiting.current = [];
      setTail((before) => came.reduce(added, before));
      setWaits(0);
    }
    setHeld(!held);
  }

  return (
    <Panel
      title="Events"
      flush
      tools={
        <div className="tools">
          <select className="select" aria-label="Event type" value={type} onChange={(event) => setType(event.target.value as EventType | "")}>
            <option value="">All types</option>
            {TYPES.map((name) => (
              <option key={name} value={name}>
                {inWords(name)}
              </option>
            ))}
          </select>
          <button type="button" className="button" aria-pressed={held} onClick={hold}>
            {held ? `Go on (${plural(waits, "new event")})` : "Hold"}
          </button>
          <button type="button" className="button quiet" onClick={() => setTail(NOTHING)}>
            Clear
          </button>
        </div>
      }
    >
      {error === undefined ? null : <ProblemNotice problem={problemOf(error)} again={() => again()} />}
      {tail.missed > 0 ? (
        <Notice kind="warn" title={`At least ${plural(tail.missed, "event")} left out.`}>
          More happened than could be followed. All are recorded.
        </Notice>
      ) : null}
      {tail.events.length === 0 ? (
        <div className="empty">Waiting for events. They show here as soon as somebody talks to the copilot.</div>
      ) : (
        <ul className="event-list" aria-label="Events, newest first">
          {tail.events.map((event) => (
            <EventRow key={event.id} event={event} own={session.role === "user"} />
          ))}
        </ul>
      )}
    </Panel>
  );
}
