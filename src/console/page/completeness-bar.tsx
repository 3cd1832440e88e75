import type { JSX } from "preact";
import type { Completeness } from "../messages.js";
import type { LiveState } from "./live-store.js";
import { timeText } from "./times.js";

/** What a reader must know before an absence means something to him. Stands on every view. */
export function CompletenessBar({ live }: { live: LiveState }): JSX.Element {
  const known = live.summary?.completeness;
  return (
    <section class="completeness" aria-label="Completeness">
      {known === undefined ? <p>Whether events are missing is not known yet.</p> : <Known known={known} />}
    </section>
  );
}

function Known({ known }: { known: Completeness }): JSX.Element {
  const lost = known.declared + known.undeclared;
  return (
    <>
      <ul>
        <Count name="runs open" value={known.open} />
        <Count name="closed" value={known.closed} />
        <Count name="dead" value={known.dead} isBad={known.dead > 0} />
        {known.unknown > 0 && <Count name="without run records" value={known.unknown} />}
        <Count name="holes" value={known.holes} isBad={known.holes !== "0"} />
        <Count name="declared losses" value={lost} isBad={lost > 0} />
        {known.invalid > 0 && <Count name="records without an event" value={known.invalid} isBad={true} />}
      </ul>
      <p>
        {sentenceOf(known)} <a href="/completeness">Details</a>
      </p>
    </>
  );
}

function Count({ name, value, isBad = false }: { name: string; value: number | string; isBad?: boolean }): JSX.Element {
  return (
    <li class={isBad ? "bad" : ""}>
      <strong>{value}</strong> {name}
    </li>
  );
}

/** What an absence means, and what it does not. */
export function sentenceOf(known: Completeness): string {
  if (!known.eventsConnected) return "Kafka does not answer: events may be missing here that are not lost.";
  const since = timeText(known.since);
  if (known.open + known.closed + known.dead === 0) {
    return `No run record is known, so nobody can tell whether events are missing. Holes are looked for since this console was started, at ${since}.`;
  }
  if (known.holes === "0")
    return `No event is known to be missing since this console was started, at ${since}. What was before is not checked here.`;
  return `Since ${since}, events are missing that no run declares: they may be lost, or on their way.`;
}
