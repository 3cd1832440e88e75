import type { JSX } from "preact";
import type { SessionPage, ShownActivity } from "../messages.js";
import { ActivityResult } from "./activity-list.js";
import { addressOf, goTo } from "./address.js";
import type { ViewProps } from "./app.js";
import { QueryForm } from "./filters.js";
import { Text, Value } from "./shown-text.js";
import { SignalBands } from "./signal-bands.js";
import { usePage } from "./use-page.js";

const form = [{ name: "id", label: "Session id", required: true }] as const;

/** One session: what its signals are, and which activity changed what when. */
export function SessionView({ query, live }: ViewProps): JSX.Element {
  const id = query.get("id") ?? "";
  const isChangesOnly = query.get("only") === "changes";
  const state = usePage<SessionPage>("session", id === "" ? "" : new URLSearchParams({ id }).toString());
  const activities = (state.page?.activities ?? []).filter(({ changes }) => !isChangesOnly || changes.length > 0);
  return (
    <>
      <QueryForm
        label="Which session"
        fields={form}
        query={query}
        onSend={(values) => goTo(addressOf("/session", values))}
      />
      {id !== "" && (
        <ActivityResult view="session" state={state} live={live} activities={activities} hasSession={false}>
          <Current page={state.page} />
          <SignalBands activities={state.page?.activities ?? []} />
          <h2>Timeline, the newest first</h2>
          <label class="check">
            <input
              type="checkbox"
              checked={isChangesOnly}
              onChange={({ currentTarget }) =>
                goTo(addressOf("/session", { id, only: currentTarget.checked ? "changes" : "" }), "replace")
              }
            />
            Only what changed something
          </label>
          {activities.length === 0 && <Nothing all={state.page?.activities ?? []} />}
        </ActivityResult>
      )}
    </>
  );
}

function Nothing({ all }: { all: readonly ShownActivity[] }): JSX.Element {
  return (
    <p>
      {all.length === 0 ? "The history has no activity of this session." : "None of these activities changed anything."}
    </p>
  );
}

/** What the signals of the session are now. */
function Current({ page }: { page: SessionPage | undefined }): JSX.Element | null {
  if (page === undefined || page.current.length === 0) return null;
  return (
    <section aria-labelledby="current">
      <h2 id="current">What holds now</h2>
      <dl class="current">
        {page.current.map(({ signal, value }) => (
          <div key={signal}>
            <dt>
              <Text value={signal} />
            </dt>
            <dd>
              <Value shown={value} />
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
