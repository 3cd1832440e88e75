import type { EventRecord } from "../publishing/event-record.js";

// The keys of a store. They sort as they are to be read: run by run, and within a run in the order of numbers.
//
// | key                         | value                                                          |
// | --------------------------- | -------------------------------------------------------------- |
// | `finished/RUN/NUMBER`       | the event's bytes, until Kafka has it                          |
// | `started/RUN/EVENT`         | the event's bytes at the start of its call, until the call ends |
// | `last/RUN`                  | the last number that the run has given                         |
// | `run/RUN`                   | the last record of the run, until Kafka has one that closes it |
// | `aside/REASON/…`            | what cannot be delivered; the rest is the key that it had      |

/** Event ids and run ids are checked before: a key never holds another `/` than these. */
const digits = 16;

/** What all keys of a kind begin with. */
export const finishedPrefix = "finished/";
export const startedPrefix = "started/";
export const asidePrefix = "aside/";
export const runPrefix = "run/";
const lastPrefix = "last/";
const asideEvent = /^aside\/([^/]+)\/finished\/([^/]+)\/([0-9a-f]+)$/;

/** The key of an event whose call has ended. */
export function finishedKey({ instanceId, sequence }: Pick<EventRecord, "instanceId" | "sequence">): string {
  return `${finishedPrefix}${instanceId}/${sequence.toString(16).padStart(digits, "0")}`;
}

/** The key of an event whose call is running. */
export function startedKey({ instanceId, eventId }: Pick<EventRecord, "instanceId" | "eventId">): string {
  return `${startedPrefix}${instanceId}/${eventId}`;
}

/** The key of the last number of a run. */
export function lastKey(instanceId: string): string {
  return `${lastPrefix}${instanceId}`;
}

/** The key of the last record of a run. */
export function runKey(instanceId: string): string {
  return `${runPrefix}${instanceId}`;
}

/** The key of an event that is set aside. */
export function asideKey(reason: string, key: string): string {
  return `${asidePrefix}${reason}/${key}`;
}

/** What an aside key says of a finished event. Undefined for any other key. */
export function whatIsAside(
  key: string,
): { readonly reason: string; readonly instanceId: string; readonly sequence: bigint } | undefined {
  const [, reason, instanceId, number] = asideEvent.exec(key) ?? [];
  if (reason === undefined || instanceId === undefined || number === undefined) return undefined;
  return { reason, instanceId, sequence: BigInt(`0x${number}`) };
}

/** The run that a key of a start belongs to. */
export function runOfStart(key: string): string {
  return key.slice(startedPrefix.length, key.lastIndexOf("/"));
}

/** The run and the number that a key of a finished event has. Undefined if it is not one that was made here. */
export function finishedNumberOf(key: string): readonly [run: string, number: bigint] | undefined {
  const [, run, number] = /^finished\/([^/]+)\/([0-9a-f]{16})$/.exec(key) ?? [];
  return run === undefined || number === undefined ? undefined : [run, BigInt(`0x${number}`)];
}

/** The run whose last number lies under a key. Undefined if it is another key. */
export function runOfLast(key: string): string | undefined {
  return key.startsWith(lastPrefix) ? key.slice(lastPrefix.length) : undefined;
}

/** What comes after all keys with this prefix. */
export function endOf(prefix: string): string {
  return `${prefix}\uFFFF`;
}
