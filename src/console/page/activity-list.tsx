import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";
import type { ActivityPage, ShownActivity, ShownChange } from "../messages.js";
import { sentenceOf } from "./completeness-bar.js";
import { ExportButtons, type ExportRow } from "./export.js";
import type { LiveState } from "./live-store.js";
import { SessionLink } from "./live-view.js";
import { Marks, Status, Verified } from "./marks.js";
import { ScrollTable } from "./scroll-table.js";
import { Text, Value } from "./shown-text.js";
import { Time, timeText } from "./times.js";
import type { PageState } from "./use-page.js";

/** The changes that somebody looks for first. */
const prominent: ReadonlySet<string> = new Set(["country", "device_id"]);

/** What an activity changed, in words. */
export function Change({ change: { signal, value, before } }: { change: ShownChange }): JSX.Element {
  return (
    <li class={before !== undefined && prominent.has(signal) ? "change prominent" : "change"}>
      <Text value={signal} />{" "}
      {before === undefined ? (
        <>
          was first seen as <Value shown={value} />
        </>
      ) : (
        <>
          changed from <Value shown={before} /> to <Value shown={value} />
        </>
      )}
    </li>
  );
}

/** A page of activities, with what there is to do with it. */
export function ActivityResult({
  view,
  state,
  live,
  activities,
  hasSession,
  children,
}: {
  view: string;
  state: PageState<ActivityPage>;
  live: LiveState;
  activities: readonly ShownActivity[];
  hasSession: boolean;
  children?: ComponentChildren;
}): JSX.Element {
  const [exportProblem, setExportProblem] = useState("");
  const { page, problem, isLoading, isRevealed } = state;
  return (
    <>
      <p role="alert">{problem || exportProblem}</p>
      <p role="status">{isLoading ? "Looking…" : page === undefined ? "" : countText(activities.length)}</p>
      {page !== undefined && (
        <>
          <div class="tools">
            <button type="button" aria-pressed={isRevealed} onClick={() => state.setRevealed(!isRevealed)}>
              {isRevealed ? "Mask personal fields" : "Reveal personal fields"}
            </button>
            <ExportButtons view={view} rows={() => activities.map(rowOf)} onProblem={setExportProblem} />
          </div>
          {children}
          {activities.length > 0 && <ActivityTable activities={activities} hasSession={hasSession} />}
          {page.next !== undefined && (
            <button type="button" onClick={() => state.more()} disabled={isLoading}>
              Show older ones
            </button>
          )}
          <Absence page={page} live={live} />
        </>
      )}
    </>
  );
}

function countText(count: number): string {
  return count === 1 ? "1 activity is shown." : `${count} activities are shown.`;
}

/** What it means that something is not there. */
function Absence({ page: { extent }, live }: { page: ActivityPage; live: LiveState }): JSX.Element {
  const known = live.summary?.completeness;
  const reach =
    extent.oldest === undefined || extent.newest === undefined
      ? "The history is empty."
      : `The history reaches from ${timeText(extent.oldest)} to ${timeText(extent.newest)}.`;
  const compacted =
    extent.compactedThrough === undefined
      ? ""
      : ` Up to ${timeText(extent.compactedThrough)}, it has only the activities that changed something.`;
  return (
    <p class="hint">
      What is not here may have happened all the same: the history holds what its worker was told to keep, by default
      calls that ended with OK. {reach}
      {compacted} {known === undefined ? "" : sentenceOf(known)}
    </p>
  );
}

function ActivityTable({
  activities,
  hasSession,
}: {
  activities: readonly ShownActivity[];
  hasSession: boolean;
}): JSX.Element {
  const columns = [
    "Began",
    ...(hasSession ? ["Session"] : []),
    "Action",
    "What changed",
    "Status",
    "Verified",
    "Marks",
    "Service",
  ];
  return (
    <ScrollTable label="Activities" columns={columns}>
      {activities.map((activity, index) => (
        <ActivityRow key={`${activity.id} ${index}`} activity={activity} hasSession={hasSession} />
      ))}
    </ScrollTable>
  );
}

function ActivityRow({ activity, hasSession }: { activity: ShownActivity; hasSession: boolean }): JSX.Element {
  const { startedAt, session, action, changes, status, service } = activity;
  const isProminent = changes.some(({ signal, before }) => before !== undefined && prominent.has(signal));
  return (
    <tr class={isProminent ? "prominent" : ""}>
      <td>
        <Time ms={startedAt} />
      </td>
      {hasSession && (
        <td>
          <SessionLink session={session} />
        </td>
      )}
      <th scope="row">
        <Text value={action} />
      </th>
      <td>
        {changes.length === 0 ? (
          "nothing"
        ) : (
          <ul class="changes">
            {changes.map((change) => (
              <Change key={change.signal} change={change} />
            ))}
          </ul>
        )}
      </td>
      <td>
        <Status status={status} />
      </td>
      <td>
        <Verified {...activity} />
      </td>
      <td>
        <Marks {...activity} />
      </td>
      <td>
        <Text value={service} />
      </td>
    </tr>
  );
}

function rowOf({ changes, ...activity }: ShownActivity): ExportRow {
  const told = changes.map(
    ({ signal, value, before }) => `${signal}: ${before === undefined ? "" : `${before.text} -> `}${value.text}`,
  );
  return { ...activity, started: timeText(activity.startedAt), changes: told.join("; ") };
}
