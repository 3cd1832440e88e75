import type { ComponentChildren, JSX } from "preact";
import { useState } from "preact/hooks";
import type { ActivityPage, Extent, Names, ShownActivity } from "../messages.js";
import { sentenceOf } from "./completeness-bar.js";
import { ExportButtons, type ExportRow } from "./export.js";
import type { LiveState } from "./live-store.js";
import { SessionLink } from "./live-view.js";
import { InDoubt, Status, Verified } from "./marks.js";
import { ScrollTable } from "./scroll-table.js";
import { Changes, isProminent } from "./shown-changes.js";
import { Text } from "./shown-text.js";
import { Time, timeText } from "./times.js";
import type { PageState } from "./use-page.js";

/** A page of activities, with what there is to do with it. */
export function ActivityResult({
  view,
  state,
  live,
  activities,
  hasSession,
  nothing,
  children,
}: {
  view: string;
  state: PageState<ActivityPage>;
  live: LiveState;
  activities: readonly ShownActivity[];
  hasSession: boolean;
  /** What it means if there is no activity. */
  nothing: string;
  children?: ComponentChildren;
}): JSX.Element {
  const [exportProblem, setExportProblem] = useState("");
  const { page, problem, isLoading, isRevealed } = state;
  const nouns = view === "changes" ? (["change", "changes"] as const) : (["activity", "activities"] as const);
  return (
    <>
      <p role="alert">{problem || exportProblem}</p>
      <p role="status">
        {isLoading ? "Loading…" : page === undefined ? "" : countText(activities.length, nouns) || nothing}
      </p>
      {page !== undefined && (
        <>
          {page.activities.length > 0 && (
            <div class="tools">
              <button type="button" aria-pressed={isRevealed} onClick={() => state.setRevealed(!isRevealed)}>
                {isRevealed ? "Mask personal fields" : "Reveal personal fields"}
              </button>
              <ExportButtons view={view} rows={() => activities.map(rowOf)} onProblem={setExportProblem} />
            </div>
          )}
          {children}
          {activities.length > 0 && <ActivityTable activities={activities} hasSession={hasSession} />}
          {page.next !== undefined && (
            <button type="button" onClick={() => state.more()} disabled={isLoading}>
              Show older ones
            </button>
          )}
          {activities.some(({ notCounted }) => notCounted !== undefined) && <NotCountedHint />}
          <Absence extent={page.extent} live={live} />
        </>
      )}
    </>
  );
}

function countText(count: number, [one, many]: readonly [string, string]): string {
  if (count === 0) return "";
  return count === 1 ? `1 ${one} is shown.` : `${count} ${many} are shown.`;
}

function NotCountedHint(): JSX.Element {
  return (
    <p class="hint">
      An activity that did not count changed no signal, since its caller may not be who it says. Of what it came with,
      the history keeps nothing that tells of a person, such as device, address and user. The event on the topic has
      that: the export names its id.
    </p>
  );
}

/** What it means that something is not there. */
function Absence({ extent, live }: { extent: Extent; live: LiveState }): JSX.Element {
  const known = live.summary?.completeness;
  return (
    <p class="hint">
      <Reach extent={extent} /> What is not here may have happened all the same.{" "}
      {known === undefined ? "" : sentenceOf(known)}
    </p>
  );
}

/** What this history holds, by what is in it. */
function Reach({ extent: { oldest, newest, compactedThrough, statuses } }: { extent: Extent }): JSX.Element {
  if (oldest === undefined || newest === undefined) return <>This history is empty.</>;
  return (
    <>
      This history holds activities that began between {timeText(oldest)} and {timeText(newest)}.{" "}
      <Ends statuses={statuses} />{" "}
      {compactedThrough === undefined
        ? "It was never compacted."
        : `Of calls that ended before ${timeText(compactedThrough)}, only those that changed a signal are left.`}
    </>
  );
}

function Ends({ statuses: { names, isCut } }: { statuses: Names }): JSX.Element {
  if (names.length === 1 && names[0] === "OK") {
    return <>All of them ended with OK: it has no call that ended otherwise.</>;
  }
  return (
    <>
      Their calls ended with{" "}
      {names.map((status, index) => (
        <span key={status}>
          {index > 0 && ", "}
          <Text value={status || "interrupted"} />
        </span>
      ))}
      {isCut ? ", and more." : "."}
    </>
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
    "Changed signals (before → after)",
    "Status",
    "Verified",
    "In doubt",
    "Service",
  ];
  return (
    <ScrollTable label="Activities" columns={columns} isByTime={true}>
      {activities.map((activity, index) => (
        <ActivityRow key={`${activity.id} ${index}`} activity={activity} hasSession={hasSession} />
      ))}
    </ScrollTable>
  );
}

function ActivityRow({ activity, hasSession }: { activity: ShownActivity; hasSession: boolean }): JSX.Element {
  const { startedAt, session, action, status, service } = activity;
  return (
    <tr class={isProminent(activity) ? "prominent" : ""}>
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
        <Changes activity={activity} />
      </td>
      <td>
        <Status status={status} />
      </td>
      <td>
        <Verified {...activity} />
      </td>
      <td>
        <InDoubt {...activity} />
      </td>
      <td>
        <Text value={service} />
      </td>
    </tr>
  );
}

function rowOf({ changes, cameWith, ...activity }: ShownActivity): ExportRow {
  const told = changes.map(
    ({ signal, value, before }) => `${signal}: ${before === undefined ? "" : `${before.text} -> `}${value.text}`,
  );
  const offered = cameWith.map(({ signal, value }) => `${signal}: ${value.text}`);
  return {
    ...activity,
    started: timeText(activity.startedAt),
    changes: told.join("; "),
    cameWith: offered.join("; "),
  };
}
