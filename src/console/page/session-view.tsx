import type { JSX } from "preact";
import type { SessionPage } from "../messages.js";
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
  const all = state.page?.activities ?? [];
  const activities = all.filter(({ changes }) => !isChangesOnly || changes.length > 0);
  return (
    <>
      <p>The signals of one session, and which activity changed them. Live and Search lead to a session, too.</p>
      <QueryForm
        label="Which session"
        fields={form}
        query={query}
        onSend={(values) => goTo(addressOf("/session", values))}
      />
      {id !== "" && (
        <ActivityResult
          view="session"
          state={state}
          live={live}
          activities={activities}
          hasSession={false}
          nothing={nothingText(all.length)}
        >
          <Current page={state.page} />
          <SignalBands activities={all} />
          {all.length > 0 && (
            <>
              <h2>Activities of this session, the newest first</h2>
              <label class="check">
                <input
                  type="checkbox"
                  checked={isChangesOnly}
                  onChange={({ currentTarget }) =>
                    goTo(addressOf("/session", { id, only: currentTarget.checked ? "changes" : "" }), "replace")
                  }
                />
                Only activities that changed a signal
              </label>
            </>
          )}
        </ActivityResult>
      )}
    </>
  );
}

function nothingText(loaded: number): string {
  return loaded === 0
    ? "This history has no activity of this session. Its id must be whole."
    : "None of these activities changed a signal.";
}

/** What the signals of the session are now. */
function Current({ page }: { page: SessionPage | undefined }): JSX.Element | null {
  if (page === undefined || page.current.length === 0) return null;
  return (
    <section aria-labelledby="current">
      <h2 id="current">Signals of this session now</h2>
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
