import { useCallback, useMemo } from "react";
import { Link } from "wouter";

import { Change } from "../components/Change.tsx";
import { Chart } from "../components/Chart.tsx";
import { Fact, Facts } from "../components/Facts.tsx";
import { Head } from "../components/Head.tsx";
import { Progress } from "../components/Notice.tsx";
import { Panel } from "../components/Panel.tsx";
import { count, instant, shortCount } from "../format.ts";
import { ErrorPatternDocument, type ErrorPatternQuery } from "../generated/operations.ts";
import { useAnswer } from "../graphql/useAnswer.ts";
import { between } from "../range/range.ts";
import { RangeButton } from "../range/RangeButton.tsx";
import { useRange } from "../range/useRange.ts";
import { Events } from "./Events.tsx";
import { userPath } from "./paths.ts";

type Pattern = NonNullable<ErrorPatternQuery["errorPatterns"]>["edges"][number]["node"];

interface ErrorPatternProps {
  readonly errorType: string;
  readonly fingerprint: string;
}

/** Errors of one type and one normalised message: how they develop, whom they met, when. */
export default function ErrorPattern({ errorType, fingerprint }: ErrorPatternProps) {
  const { asked, linkTo } = useRange();
  const answer = useAnswer(ErrorPatternDocument, { errorType, fingerprint, range: asked });
  const pattern = answer.data?.errorPatterns?.edges[0]?.node;
  const filter = useMemo(() => ({ eventType: "ERROR_OCCURRED" as const, errorType, fingerprint }), [errorType, fingerprint]);
  return (
    <>
      <Head title={errorType} note={<Link href={linkTo("/errors")}>Errors</Link>} tools={<RangeButton />} />
      <Progress answer={answer} />
      {pattern === undefined ? (
        answer.data === undefined ? null : <div className="panel empty">This error did not occur in these days.</div>
      ) : (
        <>
          <Figures pattern={pattern} />
          <Events title="Its occurrences" filter={filter} />
        </>
      )}
    </>
  );
}

function Figures({ pattern }: { readonly pattern: Pattern }) {
  const { linkTo, setRange } = useRange();
  const { trend } = pattern;
  const lines = useMemo(() => [{ name: "Occurrences", values: trend?.daily.values ?? [] }], [trend]);
  const zoom = useCallback((from: number, to: number) => setRange(between(from, to)), [setRange]);
  const users = pattern.affectedUserIds;
  return (
    <>
      <Panel title="Message, normalised">
        <p className="mono">{pattern.message === "" ? "(none)" : pattern.message}</p>
      </Panel>
      <Panel title="In these days">
        <Facts>
          <Fact
            term="Occurrences"
            value={count(pattern.count)}
            note={<Change ratio={trend?.count.changeRatio} better="down" />}
          />
          <Fact term="Ever" value={count(pattern.totalCount)} />
          <Fact
            term="Affected users"
            value={`${pattern.affectedUsers.exact ? "" : "≈ "}${count(pattern.affectedUsers.count)}`}
          />
          <Fact term="First seen, UTC" value={instant(pattern.firstOccurrence)} />
          <Fact term="Last seen, UTC" value={instant(pattern.lastOccurrence)} />
        </Facts>
      </Panel>
      {trend === null ? null : (
        <Panel title="By day">
          <Chart label="Occurrences by day" small at={trend.daily.at} lines={lines} interval="DAY" format={count} axisFormat={shortCount} onZoom={zoom} />
        </Panel>
      )}
      <Panel title="Whom it met">
        {users.length === 0 ? (
          <p className="soft">Nobody who was signed in.</p>
        ) : (
          <ul className="chips">
            {users.map((id) => (
              <li key={id}>
                <Link className="badge" href={linkTo(userPath(id))}>{id}</Link>
              </li>
            ))}
          </ul>
        )}
      </Panel>
    </>
  );
}
