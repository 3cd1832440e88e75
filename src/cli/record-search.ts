import { viewEvent } from "../contract/personal-fields.js";
import type { NativeMessage } from "../kafka/client/kafka-client.js";
import { readMessage, type SessionActivityItem } from "../kafka/consumer/consumed-record.js";
import { isInvalid } from "./record-stream.js";

/** What was found about an id. */
export interface FoundRecords {
  /** The event with this id, or the events of the session with this id, in the order of their start. */
  readonly items: readonly SessionActivityItem[];
  readonly isEvent: boolean;
  /** Whether there were more events than are kept. */
  readonly isCut: boolean;
}

/** How many events of a session are kept in memory: each takes a few KB. */
const maxItems = 10_000;

/** Looks for an event, or for the events of a session. Stops as soon as the event is found: an id is that of one event. */
export async function findRecords(
  id: string,
  batches: AsyncIterable<readonly NativeMessage[]>,
  progress: (messages: readonly NativeMessage[]) => void,
): Promise<FoundRecords> {
  const wanted = Buffer.from(id);
  const items: SessionActivityItem[] = [];
  for await (const messages of batches) {
    progress(messages);
    for (const message of messages) {
      const item = itemAbout(id, wanted, message);
      if (item?.event.eventId === id) return { items: [item], isEvent: true, isCut: false };
      if (item !== undefined) items.push(item);
    }
    if (items.length > maxItems) break;
  }
  const isCut = items.length > maxItems;
  return { items: items.slice(0, maxItems).toSorted(byStart), isEvent: false, isCut };
}

/** The event of a record, if it is about this id. A session context is decoded only if the id stands in its bytes. */
function itemAbout(id: string, wanted: Buffer, message: NativeMessage): SessionActivityItem | undefined {
  const read = readMessage(message);
  if (isInvalid(read)) return undefined;
  if (read.event.eventId === id) return read;
  const { encodedSessionContext } = read.event;
  if (encodedSessionContext === "" || !Buffer.from(encodedSessionContext, "base64").includes(wanted)) return undefined;
  return viewEvent(read.event, undefined).context?.sessionId === id ? read : undefined;
}

function byStart({ event: a }: SessionActivityItem, { event: b }: SessionActivityItem): number {
  const seconds = Number((a.startedAt?.seconds ?? 0n) - (b.startedAt?.seconds ?? 0n));
  return seconds === 0 ? (a.startedAt?.nanos ?? 0) - (b.startedAt?.nanos ?? 0) : seconds;
}
