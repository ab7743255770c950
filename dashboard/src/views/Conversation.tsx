import { Link } from "wouter";

import { Head } from "../components/Head.tsx";
import { More } from "../components/More.tsx";
import { Progress } from "../components/Notice.tsx";
import { Panel } from "../components/Panel.tsx";
import { ConversationDocument } from "../generated/operations.ts";
import { useList } from "../graphql/useList.ts";
import { RangeButton } from "../range/RangeButton.tsx";
import { useRange } from "../range/useRange.ts";
import { EventRow } from "./EventRow.tsx";
import { userPath } from "./paths.ts";

interface ConversationProps {
  /** Whose it is; null: of whoever is signed in. */
  readonly userId: string | null;
  readonly id: string;
}

const PAGE = 100;

/** What happened in one conversation, oldest first, without its text. */
export default function Conversation({ userId, id }: ConversationProps) {
  const { asked, linkTo } = useRange();
  const list = useList(
    ConversationDocument,
    { id, userId, range: asked, first: PAGE },
    (data) => data.conversation?.events ?? null,
  );
  return (
    <>
      <Head
        title={`Conversation ${id}`}
        note={<Link href={linkTo(userId === null ? "/" : userPath(userId))}>{userId ?? "My activity"}</Link>}
        tools={<RangeButton />}
      />
      <Progress answer={list.answer} />
      <Panel title="What happened, oldest first" flush>
        {list.nodes.length === 0 ? (
          <div className="empty">{list.answer.loading ? "…" : "Nothing is known of it in these days."}</div>
        ) : (
          <ul className="event-list" aria-label="Events of the conversation">
            {list.nodes.map((event) => (
              <EventRow key={event.id} event={event} dated />
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
    </>
  );
}
