import type { JSX } from "preact";
import { statusNames } from "../../contract/status-names.js";
import type { ActivityPage } from "../messages.js";
import { ActivityResult } from "./activity-list.js";
import { addressOf, goTo } from "./address.js";
import type { ViewProps } from "./app.js";
import { type FieldProps, QueryForm, timeFields } from "./filters.js";
import { usePage } from "./use-page.js";

const form: readonly Omit<FieldProps, "value" | "onInput">[] = [
  { name: "session", label: "Session id" },
  { name: "user", label: "User id" },
  { name: "action", label: "Action" },
  { name: "status", label: "Status", list: statusNames },
  ...timeFields,
];

/** Activities by session, user, action, status and time. */
export function SearchView({ query, live }: ViewProps): JSX.Element {
  const state = usePage<ActivityPage>("search", queryOf(query));
  const activities = state.page?.activities ?? [];
  return (
    <>
      <QueryForm
        label="Which activities"
        fields={form}
        query={query}
        onSend={(values) =>
          goTo(addressOf("/search", { ...values, verified: query.get("verified") ?? "", all: "yes" }))
        }
      >
        <label class="field" for="field-verified">
          Verified
          <select
            id="field-verified"
            value={query.get("verified") ?? ""}
            onChange={({ currentTarget }) =>
              goTo(addressOf("/search", { ...Object.fromEntries(query), verified: currentTarget.value }), "replace")
            }
          >
            <option value="">verified or not</option>
            <option value="yes">verified</option>
            <option value="no">not verified</option>
          </select>
        </label>
      </QueryForm>
      {query.size === 0 ? (
        <p>
          Fill in what you know: an activity is shown if all of it fits, each text as a whole. Leave all fields empty
          for the newest activities.
        </p>
      ) : (
        <ActivityResult
          view="search"
          state={state}
          live={live}
          activities={activities}
          hasSession={true}
          nothing="This history has no activity that fits all of this."
        >
          {query.get("user") && (
            <p class="hint">
              These are the activities of the sessions that this user was seen in. Of more than 1,000 sessions, 1,000
              are looked through.
            </p>
          )}
        </ActivityResult>
      )}
    </>
  );
}

/** The question to the server: the times of the form are in UTC. */
export function queryOf(query: URLSearchParams): string {
  const asked = new URLSearchParams(query);
  for (const name of ["since", "until"]) {
    const time = asked.get(name);
    if (time !== null && time !== "" && !time.endsWith("Z")) asked.set(name, `${time}Z`);
  }
  return asked.toString();
}
