/** Why nothing shows: what to look at, from what the recorder itself says. */

import { Link } from "wouter";

import { Panel } from "../components/Panel.tsx";
import { count } from "../format.ts";
import { RecorderHealthDocument, type RecorderHealthQuery } from "../generated/operations.ts";
import { useAnswer } from "../graphql/useAnswer.ts";
import { useRange } from "../range/useRange.ts";

type Health = NonNullable<RecorderHealthQuery["recorderHealth"]>;

/** What is likely, most likely first. */
function advice(health: Health): readonly string[] {
  const found: string[] = [];
  const dropped = health.dropped.reduce((sum, each) => sum + each.count, 0);
  if (health.lastError !== null) found.push(`The last write failed: ${health.lastError}`);
  if (!health.running) {
    found.push("No recorder runs in this process: the copilot records in another one, or has not started. Both have to use the same store.");
  }
  if (health.running && health.accepted === 0) {
    found.push("The recorder runs and has seen no event: is the middleware (or @track) around the copilot's own WebSocket, and has anybody talked to it since it started?");
  }
  if (health.spooled > 0) found.push(`${count(health.spooled)} events wait on disk for the store: it cannot be reached, or refuses them.`);
  if (dropped > 0) found.push(`${count(dropped)} events were given up; Health says why.`);
  if (health.stored > 0) found.push("Events are being stored, but none in these days: choose other ones.");
  return found;
}

export function NothingYet() {
  const { linkTo, setRange } = useRange();
  const answer = useAnswer(RecorderHealthDocument, {});
  const health = answer.data?.recorderHealth;
  return (
    <Panel title="Nothing was recorded in these days">
      <div className="grid">
        {health == null ? null : (
          <>
            <ul className="grid">
              {advice(health).map((each) => (
                <li key={each}>{each}</li>
              ))}
            </ul>
            <p className="soft small">
              Store: <code>{health.store}</code>. <code>copilot-analytics doctor</code> on the server checks
              configuration, permissions and clock.
            </p>
          </>
        )}
        <div className="tools">
          <button type="button" className="button" onClick={() => setRange({ preset: "LAST_90_DAYS" })}>
            Show the last 90 days
          </button>
          <Link className="button" href={linkTo("/health")}>
            See the recorder’s health
          </Link>
        </div>
      </div>
    </Panel>
  );
}
