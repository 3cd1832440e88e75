import type { ComponentChildren, JSX } from "preact";
import type { OfferedSignal, ShownActivity, ShownChange } from "../messages.js";
import { Text, Value } from "./shown-text.js";

/** The signals that somebody looks at first. */
const prominent: ReadonlySet<string> = new Set(["country", "device_id"]);

/** Whether an activity changed what somebody looks at first. */
export function isProminent({ changes }: ShownActivity): boolean {
  return changes.some(({ signal, before }) => before !== undefined && prominent.has(signal));
}

/** What an activity changed. If it did not count, why, and what it came with all the same. */
export function Changes({ activity }: { activity: ShownActivity }): JSX.Element {
  const { changes, cameWith } = activity;
  if (changes.length > 0) {
    return (
      <ul class="changes">
        {changes.map((change) => (
          <Change key={change.signal} change={change} />
        ))}
      </ul>
    );
  }
  const why = whyNotCounted(activity);
  if (why === undefined) return <>none</>;
  return (
    <>
      did not count: {why}
      {cameWith.length > 0 && (
        <ul class="changes">
          {cameWith.map((offered) => (
            <Offered key={offered.signal} offered={offered} />
          ))}
        </ul>
      )}
    </>
  );
}

function Change({ change: { signal, value, before } }: { change: ShownChange }): JSX.Element {
  return (
    <li class={before !== undefined && prominent.has(signal) ? "change prominent" : "change"}>
      <Text value={signal} />:{" "}
      {before === undefined ? (
        <>
          <Value shown={value} />, first seen
        </>
      ) : (
        <>
          <Value shown={before} /> <Arrow /> <Value shown={value} />
        </>
      )}
    </li>
  );
}

function Arrow(): JSX.Element {
  return (
    <span role="img" aria-label="changed to">
      →
    </span>
  );
}

/** What a call came with, and whether that is what held. */
function Offered({ offered: { signal, value, held } }: { offered: OfferedSignal }): JSX.Element {
  const isOther = held !== undefined && held.text !== value.text;
  return (
    <li class={isOther && prominent.has(signal) ? "change prominent" : "change"}>
      came with <Text value={signal} /> <Value shown={value} />
      {held !== undefined && !isOther && ", as before"}
      {isOther && (
        <>
          , while <Value shown={held} /> held
        </>
      )}
    </li>
  );
}

const lateReasons: Readonly<Record<string, string>> = {
  late: "its event came after this time was compacted",
  conflicting: "its event contradicts what was compacted",
  ahead: "it began more than a day in the future",
};

/** Why the signals of an activity do not count. Undefined if they do. */
function whyNotCounted({ late, notCounted, status }: ShownActivity): ComponentChildren {
  if (notCounted === "not_verified") return "it is not verified";
  if (notCounted !== undefined) {
    if (status === "") return "the process died inside the call";
    if (status === "OK") return "this history does not take such calls";
    return (
      <>
        the call ended with <Text value={status} />
      </>
    );
  }
  return late === undefined ? undefined : (lateReasons[late] ?? "its event came late");
}
