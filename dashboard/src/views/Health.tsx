import { Fact, Facts } from "../components/Facts.tsx";
import { Head } from "../components/Head.tsx";
import { Notice, Progress } from "../components/Notice.tsx";
import { Panel } from "../components/Panel.tsx";
import { count, duration, instant, percent } from "../format.ts";
import { RecorderHealthDocument, type RecorderHealthQuery } from "../generated/operations.ts";
import { useAnswer } from "../graphql/useAnswer.ts";

type Answered = NonNullable<RecorderHealthQuery["recorderHealth"]>;
type Counted = Answered["dropped"];

/** Whether recording goes well, in the process that answers. */
export default function Health() {
  const answer = useAnswer(RecorderHealthDocument, {});
  const health = answer.data?.recorderHealth;
  return (
    <>
      <Head
        title="Health"
        note="Of the process that answers, since it started"
        tools={
          <button type="button" className="button" onClick={answer.again} disabled={answer.loading}>
            Refresh
          </button>
        }
      />
      <Progress answer={answer} />
      {health == null ? null : <Figures health={health} />}
    </>
  );
}

function Figures({ health }: { readonly health: Answered }) {
  const asked = health.cache.hits + health.cache.misses + health.cache.joined;
  return (
    <>
      {health.running ? null : (
        <Notice kind="warn" title="No recorder runs in this process.">
          It only answers. Where the copilot records in another process, that one’s health is told there.
        </Notice>
      )}
      {health.lastError === null ? null : (
        <Notice title="The last write failed; it is tried again.">{health.lastError}</Notice>
      )}
      <Panel title="Events">
        <Facts>
          <Fact term="Accepted" value={count(health.accepted)} />
          <Fact term="Stored" value={count(health.stored)} />
          <Fact term="Waiting in memory" value={count(health.pending)} />
          <Fact term="Waiting on disk" value={count(health.spooled)} />
          <Fact term="Recovered from disk" value={count(health.recovered)} />
          <Fact term="Last write" value={duration(health.lastFlushMs)} />
          <Fact term="Ended, UTC" value={instant(health.lastFlushAt)} />
          <Fact term="Cache: answers held" value={count(health.cache.entries)} />
          <Fact term="Cache: answered from it" value={percent(asked === 0 ? null : 1 - health.cache.misses / asked)} />
        </Facts>
      </Panel>
      <div className="halves">
        <Counts title="Given up" rows={health.dropped} none="No accepted event was given up." />
        <Counts title="Never accepted" rows={health.rejected} none="Every event was accepted." />
        <Counts title="Left out" rows={health.skipped} none="No value and no frame was left out." />
        <Counts title="Failures inside analytics" rows={health.errors} none="None; the copilot would not have noticed." />
      </div>
      <Counts title={`Store ${health.store}`} rows={health.storeStatistics} none="The store tells no figures." />
    </>
  );
}


function Counts({ title, rows, none }: { readonly title: string; readonly rows: Counted; readonly none: string }) {
  return (
    <Panel title={title}>
      {rows.length === 0 ? (
        <p className="soft">{none}</p>
      ) : (
        <Facts>
          {rows.map((row) => (
            <Fact key={row.name} term={row.name} value={count(row.count)} />
          ))}
        </Facts>
      )}
    </Panel>
  );
}
