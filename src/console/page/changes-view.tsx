import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { ActivityPage, Names } from "../messages.js";
import { ActivityResult } from "./activity-list.js";
import { addressOf, goTo } from "./address.js";
import type { ViewProps } from "./app.js";
import { askServer } from "./ask-server.js";
import { type FieldProps, QueryForm, timeFields } from "./filters.js";
import { queryOf } from "./search-view.js";
import { Text } from "./shown-text.js";
import { usePage } from "./use-page.js";

function formOf(signals: Names | undefined): readonly Omit<FieldProps, "value" | "onInput">[] {
  return [
    { name: "signal", label: "Signal", required: true, list: signals?.names ?? [] },
    { name: "previous", label: "Before" },
    { name: "value", label: "After" },
    ...timeFields,
  ];
}

/** The changes of one signal in all sessions. */
export function ChangesView({ query, live }: ViewProps): JSX.Element {
  const signal = query.get("signal") ?? "";
  const signals = useSignals(signal);
  const state = usePage<ActivityPage>("changes", signal === "" ? "" : queryOf(query));
  const activities = state.page?.activities ?? [];
  const isUnknown = state.page !== undefined && activities.length === 0 && isMissing(signal, signals);
  return (
    <>
      <p>The changes of one signal across all sessions, the newest first.</p>
      <QueryForm
        label="Which changes"
        fields={formOf(signals)}
        query={query}
        onSend={(values) => goTo(addressOf("/changes", values))}
      />
      {signals !== undefined && <Signals signals={signals} unknown={isUnknown ? signal : undefined} />}
      {signal !== "" && (
        <ActivityResult
          view="changes"
          state={state}
          live={live}
          activities={activities}
          hasSession={true}
          nothing={isUnknown ? "" : "This history has no change that fits all of this."}
        >
          {query.get("previous") && (
            <p class="hint">
              What a value was before is looked for in the newest 5,000 changes that fit otherwise. For older ones, say
              until when.
            </p>
          )}
        </ActivityResult>
      )}
    </>
  );
}

/** The signals that the history has. A signal that is asked for may be a new one. */
function useSignals(asked: string): Names | undefined {
  const [signals, setSignals] = useState<Names>();
  useEffect(() => {
    void askServer<Names>("signals", new URLSearchParams(), false).then(setSignals, () => undefined);
  }, [asked]);
  return signals;
}

/** Whether there is surely no such signal: that must not look like "it did not change". */
function isMissing(signal: string, signals: Names | undefined): boolean {
  return signals !== undefined && !signals.isCut && !signals.names.includes(signal);
}

/** What there is to choose from. */
function Signals({ signals: { names, isCut }, unknown }: { signals: Names; unknown: string | undefined }): JSX.Element {
  const list = (
    <>
      <SignalLinks names={names} />
      {isCut ? ", and more." : "."}
    </>
  );
  if (unknown !== undefined) {
    return (
      <p role="alert" class="notice">
        This history has no signal named <Text value={unknown} />. {names.length > 0 && <>It has: {list}</>}
      </p>
    );
  }
  return <p class="hint">{names.length === 0 ? "This history has no signal yet." : <>This history has: {list}</>}</p>;
}

function SignalLinks({ names }: { names: readonly string[] }): JSX.Element {
  return (
    <>
      {names.map((name, index) => (
        <span key={name}>
          {index > 0 && ", "}
          <a href={addressOf("/changes", { signal: name })}>
            <Text value={name} />
          </a>
        </span>
      ))}
    </>
  );
}
