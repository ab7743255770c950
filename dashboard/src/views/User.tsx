import { useMemo } from "react";
import { Link } from "wouter";

import { Chart } from "../components/Chart.tsx";
import { Fact, Facts } from "../components/Facts.tsx";
import { Head } from "../components/Head.tsx";
import { Progress } from "../components/Notice.tsx";
import { Panel } from "../components/Panel.tsx";
import { count, instant, percent, shortCount } from "../format.ts";
import { UserActivityDocument, type UserActivityQuery } from "../generated/operations.ts";
import { useAnswer } from "../graphql/useAnswer.ts";
import { RangeButton } from "../range/RangeButton.tsx";
import { useRange } from "../range/useRange.ts";
import { Events } from "./Events.tsx";

type Activity = NonNullable<UserActivityQuery["userActivity"]>;

/** What one user did; what whoever is signed in did, where nobody is named. */
export default function User({ name }: { readonly name: string | null }) {
  const { asked, linkTo } = useRange();
  const answer = useAnswer(UserActivityDocument, { userId: name, range: asked });
  const activity = answer.data?.userActivity;
  const filter = useMemo(() => (name === null ? {} : { userId: name }), [name]);
  return (
    <>
      <Head
        title={name ?? "My activity"}
        note={name === null ? "What this copilot recorded of you, without any text, UTC" : <Link href={linkTo("/users")}>Users</Link>}
        tools={<RangeButton />}
      />
      <Progress answer={answer} />
      {activity == null ? null : (
        <>
          <Figures activity={activity} />
          <Events title="Events" filter={filter} own={name === null} />
        </>
      )}
    </>
  );
}

function Figures({ activity }: { readonly activity: Activity }) {
  const at = useMemo(() => activity.days.map((each) => Date.parse(each.day)), [activity]);
  const lines = useMemo(
    () => [
      { name: "Messages", values: activity.days.map((each) => each.messages) },
      { name: "Executions", values: activity.days.map((each) => each.executions) },
      { name: "Errors", values: activity.days.map((each) => each.errors) },
    ],
    [activity],
  );
  return (
    <>
      <Panel title="In these days">
        <Facts>
          <Fact term="Messages" value={count(activity.messages)} />
          <Fact term="Executions" value={count(activity.executions)} />
          <Fact term="Success rate" value={percent(activity.successRate)} />
          <Fact term="Failures" value={count(activity.failures)} />
          <Fact term="Errors" value={count(activity.errors)} />
          <Fact term="Connections" value={count(activity.connections)} />
          <Fact term="Last seen, UTC" value={instant(activity.lastSeen)} />
        </Facts>
      </Panel>
      {activity.days.length === 0 ? null : (
        <Panel title="Days with activity">
          <Chart label="Activity by day" small at={at} lines={lines} interval="DAY" format={count} axisFormat={shortCount} />
        </Panel>
      )}
    </>
  );
}
