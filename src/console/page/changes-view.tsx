import type { JSX } from "preact";
import type { ActivityPage } from "../messages.js";
import { ActivityResult } from "./activity-list.js";
import { addressOf, goTo } from "./address.js";
import type { ViewProps } from "./app.js";
import { type FieldProps, QueryForm } from "./filters.js";
import { queryOf } from "./search-view.js";
import { usePage } from "./use-page.js";

const form: readonly Omit<FieldProps, "value" | "onInput">[] = [
  {
    name: "signal",
    label: "Signal",
    required: true,
    list: ["country", "device_id", "client_ip", "user_agent", "auth_method", "user_id", "actor_id", "organization_id"],
  },
  { name: "value", label: "Changed to" },
  { name: "since", label: "From (UTC)", type: "datetime-local" },
  { name: "until", label: "Until (UTC)", type: "datetime-local" },
];

/** The changes of one signal in all sessions. */
export function ChangesView({ query, live }: ViewProps): JSX.Element {
  const isAsked = (query.get("signal") ?? "") !== "";
  const state = usePage<ActivityPage>("changes", isAsked ? queryOf(query) : "");
  const activities = state.page?.activities ?? [];
  return (
    <>
      <p>The changes of one signal across all sessions, the newest first.</p>
      <QueryForm
        label="Which changes"
        fields={form}
        query={query}
        onSend={(values) => goTo(addressOf("/changes", values))}
      />
      {isAsked && (
        <ActivityResult view="changes" state={state} live={live} activities={activities} hasSession={true}>
          {activities.length === 0 && <p>The history has no change that fits.</p>}
        </ActivityResult>
      )}
    </>
  );
}
