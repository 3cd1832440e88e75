import type { Told } from "../history/fixtures.js";
import type { Session } from "./sessions.js";

/** What the history must be, told the simplest way: put everything in order, then walk through it. */
export function expectedHistory({ happened }: Pick<Session, "happened">): string[] {
  const once = [...new Map(happened.map((told) => [told.id, told])).values()];
  const known: Partial<Record<string, string>> = {};
  const changes: string[] = [];
  for (const told of inTrueOrder(once)) {
    for (const [signal, value] of signalsOf(told)) {
      if (!value || known[signal] === value) continue;
      known[signal] = value;
      changes.push(changeLine(told.id, signal, value));
    }
  }
  return changes;
}

/** By when contexts were made, and where that is the same, by the bytes of the ids. */
export function inTrueOrder(happened: readonly Told[]): Told[] {
  return happened.toSorted((a, b) => a.at - b.at || Buffer.compare(Buffer.from(a.id), Buffer.from(b.id)));
}

/** A change, as histories are compared. */
export function changeLine(eventId: string, signal: string, value: string): string {
  return `${eventId}: ${signal} is ${value}`;
}

/** In the order of their names, as the history has them. */
function signalsOf({ country, device, user }: Told): [string, string | undefined][] {
  return [
    ["country", country],
    ["device_id", device],
    ["user_id", user],
  ];
}
