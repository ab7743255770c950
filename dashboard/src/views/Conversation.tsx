import { Link } from "wouter";

import { Head } from "../components/Head.tsx";
import { ConversationDocument } from "../generated/operations.ts";
import { useList } from "../graphql/useList.ts";
import { RangeButton } from "../range/RangeButton.tsx";
import { useRange } from "../range/useRange.ts";
import { EventList } from "./EventList.tsx";
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
      <EventList
        title="What happened, oldest first"
        list={list}
        empty="Nothing is known of it in these days."
      />
    </>
  );
}
