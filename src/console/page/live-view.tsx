import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { LiveEvent } from "../messages.js";
import { addressOf, goTo } from "./address.js";
import type { ViewProps } from "./app.js";
import { askServer } from "./ask-server.js";
import { ExportButtons, type ExportRow } from "./export.js";
import { Field, Filters } from "./filters.js";
import { keptEvents, type LiveState } from "./live-store.js";
import { InDoubt, Status, Verified } from "./marks.js";
import { MinuteChart } from "./minute-chart.js";
import { ScrollTable } from "./scroll-table.js";
import { Text, Value } from "./shown-text.js";
import { Time } from "./times.js";

/** So many rows are drawn. */
const shownRows = 100;

const fields = [
  { name: "service", label: "Service" },
  { name: "action", label: "Action" },
  { name: "status", label: "Status" },
  { name: "session", label: "Session" },
] as const;

/** Events as they arrive. */
export function LiveView({ query, live }: ViewProps): JSX.Element {
  const [paused, setPaused] = useState<LiveState>();
  const [problem, setProblem] = useState("");
  const { events, skipped } = paused ?? live;
  const shown = events
    .filter((event) => fits(event, query))
    .slice(-shownRows)
    .toReversed();
  return (
    <>
      <MinuteChart minutes={live.summary?.minutes ?? []} />
      <LiveFilters query={query} />
      <div class="tools">
        <button
          type="button"
          aria-pressed={paused !== undefined}
          onClick={() => setPaused(paused === undefined ? live : undefined)}
        >
          {paused === undefined ? "Pause" : `Go on: ${live.received - paused.received} arrived meanwhile`}
        </button>
        <ExportButtons view="live" rows={() => shown.map(rowOf)} onProblem={setProblem} />
      </div>
      <p role="alert">{problem}</p>
      {skipped > 0 && (
        <p class="notice">{skipped} events arrived too fast to be shown here. Look for them in Search.</p>
      )}
      {shown.length === 0 ? <p>{emptyText(events.length)}</p> : <EventTable events={shown} />}
      <p class="hint">
        Events stand in the order in which they arrived at this console, the newest first: a long call began earlier
        than its neighbours. At most {shownRows} of the last {keptEvents.toLocaleString("en-US")} that arrived are
        shown. Search has older ones, if this history keeps them.
      </p>
    </>
  );
}

function emptyText(arrived: number): string {
  if (arrived === 0) return "No event has arrived since this console was started.";
  return arrived === 1
    ? "One event has arrived, and does not fit the filters."
    : `${arrived} events have arrived, and none of them fits the filters.`;
}

function LiveFilters({ query }: { query: URLSearchParams }): JSX.Element {
  const set = (name: string, value: string): void =>
    goTo(addressOf("/", { ...Object.fromEntries(query), [name]: value }), "replace");
  return (
    <Filters label="Filter the events: a part of each text is enough">
      {fields.map(({ name, label }) => (
        <Field
          key={name}
          name={name}
          label={label}
          value={query.get(name) ?? ""}
          onInput={(value) => set(name, value)}
        />
      ))}
      <label class="check">
        <input
          type="checkbox"
          checked={query.get("doubtful") === "yes"}
          onChange={({ currentTarget }) => set("doubtful", currentTarget.checked ? "yes" : "")}
        />
        Only what is in doubt: not verified, replayed, or with an inferred status
      </label>
    </Filters>
  );
}

/** Whether an event fits the filters: each text must stand in its field, in whatever case. */
function fits(event: LiveEvent, query: URLSearchParams): boolean {
  const isWanted = fields.every(({ name }) => {
    const wanted = (query.get(name) ?? "").toLowerCase();
    return wanted === "" || (event[name] ?? "").toLowerCase().includes(wanted);
  });
  return isWanted && (query.get("doubtful") !== "yes" || isDoubtful(event));
}

function isDoubtful({ verified, problem, session, replayed, inferred }: LiveEvent): boolean {
  return problem !== "" || replayed || inferred || (!verified && session !== undefined);
}

const columns = ["Arrived", "Service", "Action", "Status", "Session", "Came with", "Verified", "In doubt"];

function EventTable({ events }: { events: readonly LiveEvent[] }): JSX.Element {
  return (
    <ScrollTable label="Events" columns={columns} isByTime={true}>
      {events.map((event) => (
        <EventRow key={event.id} event={event} />
      ))}
    </ScrollTable>
  );
}

function EventRow({ event: given }: { event: LiveEvent }): JSX.Element {
  const [revealed, setRevealed] = useState<LiveEvent>();
  const [problem, setProblem] = useState("");
  const event = revealed ?? given;
  const reveal = (): void =>
    void askServer<LiveEvent>("event", new URLSearchParams({ id: given.id }), true).then(
      setRevealed,
      (error: unknown) => setProblem(error instanceof Error ? error.message : String(error)),
    );
  return (
    <tr>
      <td>
        <Time ms={event.arrivedAt} />
        <span class="soft">
          began <Time ms={event.startedAt} />
        </span>
      </td>
      <td>
        <Text value={event.service} />
      </td>
      <td>
        <Text value={event.action} />
      </td>
      <td>
        <Status status={event.status} />
      </td>
      <td>{event.session !== undefined && <SessionLink session={event.session} />}</td>
      <td>
        {event.signals.map(({ signal, value }) => (
          <span key={signal} class="signal">
            {signal} <Value shown={value} />
          </span>
        ))}
        {revealed === undefined && event.signals.some(({ value }) => value.masked) && (
          <button type="button" class="small" onClick={reveal}>
            Reveal
          </button>
        )}
        {problem}
      </td>
      <td>{event.session === undefined && event.problem === "" ? "nothing to verify" : <Verified {...event} />}</td>
      <td>
        <InDoubt replayed={event.replayed} inferred={event.inferred} />
      </td>
    </tr>
  );
}

/** Leads to a session's timeline. */
export function SessionLink({ session }: { session: string }): JSX.Element {
  return (
    <a href={addressOf("/session", { id: session })}>
      <Text value={session} />
    </a>
  );
}

function rowOf({ signals, ...event }: LiveEvent): ExportRow {
  return { ...event, ...Object.fromEntries(signals.map(({ signal, value }) => [signal, value.text])) };
}
