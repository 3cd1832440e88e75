import { isPersonalSignal, type Mask } from "../contract/personal-fields.js";
import type { DatabaseSettings } from "../history/database.js";
import { createSignalHistory, openSignalDatabase, type SignalChange } from "../history/index.js";
import { describeRefusal } from "./database-refusal.js";
import { closeDatabase } from "./history-worker.js";
import { section } from "./report-section.js";
import type { Terminal } from "./terminal.js";

/** What a history knows about an event or a session. */
export interface KnownHistory {
  readonly about: "event" | "session";
  readonly changes: readonly SignalChange[];
  /** Of a session, what its signals are now. */
  readonly current: readonly SignalChange[];
  readonly isEmpty: boolean;
  /** The changes as somebody may see them. */
  maskedChanges(mask: Mask | undefined): SignalChange[];
}

/** Asks the history. Without a database nothing is known. */
export async function readKnownHistory(
  { address, schema }: { readonly address: DatabaseSettings; readonly schema: string },
  about: KnownHistory["about"],
  id: string,
): Promise<KnownHistory> {
  if (address.url === undefined) return knownHistory(about, [], []);
  const database = openSignalDatabase({ ...address, env: false });
  const history = createSignalHistory({ database, schema, env: false });
  try {
    if (about === "event") return knownHistory(about, await history.triggeredBy(id), []);
    return knownHistory(about, await history.history(id), await history.current(id));
  } catch (error) {
    throw new Error(`the database refuses or is away: ${describeRefusal(error)}`, { cause: error });
  } finally {
    await closeDatabase(database);
  }
}

function knownHistory(
  about: KnownHistory["about"],
  changes: readonly SignalChange[],
  current: readonly SignalChange[],
): KnownHistory {
  return {
    about,
    changes,
    current,
    isEmpty: changes.length === 0,
    maskedChanges: (mask) => changes.map((change) => maskChange(change, mask)),
  };
}

/** What the history knows, in sections. Empty if it knows nothing. */
export function reportOfHistory(
  { about, changes, current }: KnownHistory,
  mask: Mask | undefined,
  paint: Terminal["paint"],
): string {
  const parts: string[] = [];
  const masked = changes.map((change) => maskChange(change, mask));
  if (about === "event" && masked.length > 0)
    parts.push(
      section(
        "Changed by it",
        masked.map((change) => [change.signal, changeText(change)]),
        paint,
      ),
    );
  if (about === "session" && masked.length > 0) {
    const now = current.map((change) => maskChange(change, mask));
    parts.push(
      section(
        "Signals now",
        now.map(({ signal, value }) => [signal, value]),
        paint,
      ),
    );
    parts.push(
      section(
        "Changes",
        masked.map((change) => [change.startedAt.toISOString(), sentenceOf(change)]),
        paint,
      ),
    );
  }
  return parts.join("\n");
}

function changeText({ value, previousValue }: SignalChange): string {
  return previousValue === undefined ? `${value}, for the first time` : `${value}, before ${previousValue}`;
}

function sentenceOf(change: SignalChange): string {
  return `${change.signal} is ${changeText(change)}, by ${change.action} (${change.status}), event ${change.eventId}`;
}

function maskChange(change: SignalChange, mask: Mask | undefined): SignalChange {
  if (mask === undefined) return change;
  const { signal, value, previousValue } = change;
  const masked = (text: string): string => (isPersonalSignal(signal, text) ? mask(text) : text);
  return {
    ...change,
    value: masked(value),
    previousValue: previousValue === undefined ? undefined : masked(previousValue),
  };
}
