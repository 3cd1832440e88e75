import { swallow, type TroubleLog } from "../base/log.js";
import { tookTooLong } from "../base/timing.js";
import { procedureOf } from "../contract/procedure.js";
import type { Call } from "../outcome/caller.js";
import type { EventRecord } from "../publishing/event-record.js";
import type { LossReason, Settled } from "../publishing/publisher.js";
import type { OpenEvent } from "./event.js";
import { encodeEvent } from "./event-encoder.js";
import type { InterceptorSettings } from "./interceptor-options.js";
import type { ServiceTrouble } from "./service-troubles.js";
import type { SkippedCalls } from "./skipped-calls.js";
import type { Waits } from "./waits.js";

/**
 * The publisher as the calls of one interceptor see it: it may be missing, throw, or be async in spite of its type, and none
 * of that harms a call.
 */
export interface GuardedPublisher {
  /** Whether the publisher wants to know of calls that begin. */
  readonly notesStarts: boolean;
  /** Events that were dropped because there is no publisher. */
  readonly dropped: number;
  /** Tells the publisher that a call begins. Resolves within 5 s to its answer, which the caller counts. Never rejects. */
  begin(event: OpenEvent, call: Call): Promise<"accepted" | "refused">;
  /** Tells a function what becomes of each event, until the function that it answers with is called. */
  onSettled(listener: Settled): () => void;
  /** Numbers and encodes the event, and hands it to the publisher. Must be called once for each event. Never throws. */
  publish(event: OpenEvent, call: Call): void;
}

/** What is guarded. */
type Guarded = Pick<InterceptorSettings, "publisher" | "onDrop">;

/** Guards a publisher. Without one, events are dropped and counted. */
export function createGuardedPublisher(
  { publisher, onDrop }: Guarded,
  skipped: SkippedCalls,
  waits: Waits,
  log: TroubleLog<ServiceTrouble>,
): GuardedPublisher {
  let sequence = 0n;
  let dropped = 0;

  const listeners = new Set<Settled>();

  const warnOfCallback = (): void => log.warn("on_drop", {}, "onDrop failed: it is called again for the next event");
  const warnOfListener = (): void =>
    log.warn("on_settled", {}, "a function given to onSettled failed: it is called again for the next event");

  function tellDrop(reason: LossReason, record: EventRecord): void {
    if (onDrop !== undefined && !swallow(() => onDrop(reason, record.decode()), warnOfCallback)) warnOfCallback();
  }

  function lose(record: EventRecord, call: Call): void {
    skipped.add("publisher_error", call, "the publisher threw, against its contract: the event is lost");
    tellDrop("publisher_error", record);
  }

  const settled: Settled = (outcome, record) => {
    if (outcome !== "delivered") tellDrop(outcome, record);
    for (const listener of listeners) if (!swallow(() => listener(outcome, record), warnOfListener)) warnOfListener();
  };
  /** Asking for the outcome costs the Kafka publisher something for each event, so it is only asked for if somebody listens. */
  let asked = onDrop && settled;

  return {
    get notesStarts() {
      return publisher?.begin !== undefined;
    },
    get dropped() {
      return dropped;
    },
    onSettled(listener) {
      // A function of its own, so that the same listener given twice is told twice.
      const own: Settled = (outcome, record) => listener(outcome, record);
      listeners.add(own);
      asked = settled;
      return () => {
        listeners.delete(own);
        if (listeners.size === 0) asked = onDrop && settled;
      };
    },
    async begin(event, call) {
      try {
        const noted = publisher?.begin?.(encodeEvent(event, 0n));
        if (typeof noted !== "object") return noted === "refuse" ? "refused" : "accepted";
        const answer = await waits.answerOf("publisher", Promise.resolve(noted), procedureOf(call.method));
        return answer === "refuse" ? "refused" : "accepted";
      } catch (error) {
        // Without the note, a crash inside the call would lose its event. At its end it is published all the same.
        if (error === tookTooLong) return "accepted";
        skipped.add("publisher_error", call, "the publisher threw at the start of a call, against its contract");
        return "accepted";
      }
    },
    publish(event, call) {
      sequence += 1n;
      const record = encodeEvent(event, sequence);
      if (publisher === undefined) {
        dropped += 1;
        tellDrop("no_publisher", record);
        return;
      }
      try {
        // Some are async in spite of the type: a rejection must not end the process.
        const result: unknown = publisher.publish(record, asked);
        if (result instanceof Promise) result.catch(() => lose(record, call));
      } catch {
        lose(record, call);
      }
    },
  };
}
