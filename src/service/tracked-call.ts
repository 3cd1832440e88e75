import { Code, ConnectError } from "@connectrpc/connect";
import type { TroubleLog } from "../base/log.js";
import type { Mark } from "../contract/mark.js";
import type { ActivityStatus } from "../contract/status.js";
import type { Answer, Call, Next } from "../outcome/caller.js";
import type { Completion, EndListener } from "../outcome/completion.js";
import type { Exchange } from "../outcome/exchange.js";
import { type ObservedCall, type ObserverOptions, observeCall } from "../outcome/observer.js";
import { type AnnotatedCall, trackedCallKey } from "./annotation.js";
import { completeEvent, type EventSource, type OpenEvent, startEvent } from "./event.js";
import type { GuardedPublisher } from "./guarded-publisher.js";
import type { Judgement, PendingJudgement } from "./judge.js";
import type { OpenCall, OpenCalls } from "./open-calls.js";
import type { ServiceTrouble } from "./service-troubles.js";
import type { SkippedCalls } from "./skipped-calls.js";

/** What the tracked calls of one interceptor share. */
export interface Tracking {
  readonly source: EventSource;
  readonly observing: ObserverOptions;
  readonly publisher: GuardedPublisher;
  readonly skipped: SkippedCalls;
  readonly open: OpenCalls;
  readonly log: TroubleLog<ServiceTrouble>;
  /** Calls whose event was started. */
  tracked: number;
  /** Events by their status. */
  readonly byStatus: Partial<Record<ActivityStatus, number>>;
  /** Of these, those whose status is the most probable of several. */
  readonly inferredByStatus: Partial<Record<ActivityStatus, number>>;
}

/** Lets a call run, and publishes its event when the call has truly ended. Resolves and rejects as the call does. */
export function trackCall(
  tracking: Tracking,
  next: Next,
  call: Call,
  exchange: Exchange | undefined,
  mark: Mark,
  judgement: Judgement | PendingJudgement,
): Promise<Answer> {
  return new TrackedCall(tracking, call, exchange, mark).run(next, judgement);
}

/**
 * How far a tracked call has come.
 *
 * - `judging`: its signature is being verified, and there is no event
 * - `running`: the event is started; the publisher may still be noting that, or the call is with the handler
 * - `ended`: the event is published, or there is none to publish
 *
 * A drain may end the call at any moment. The call itself goes on: what comes after the end changes nothing in the event.
 */
type State = "judging" | "running" | "ended";

/** A class: closures and an object for each part cost several microseconds of garbage collection per call. */
class TrackedCall implements OpenCall, AnnotatedCall, EndListener {
  readonly #tracking: Tracking;
  readonly #call: Call;
  readonly #exchange: Exchange | undefined;
  readonly #mark: Mark;
  readonly startedAt: number = performance.now();
  readonly #arrivedAtMs: number = Date.now();
  readonly #observed: ObservedCall;
  place = 0;
  #state: State = "judging";
  #pending: PendingJudgement | undefined;
  #event: OpenEvent | undefined;

  constructor(tracking: Tracking, call: Call, exchange: Exchange | undefined, mark: Mark) {
    this.#tracking = tracking;
    this.#call = call;
    this.#exchange = exchange;
    this.#mark = mark;
    // Before all that takes time, so that it sees a caller that leaves meanwhile.
    this.#observed = observeCall(call, exchange, tracking.observing, this);
    tracking.open.add(this);
    call.contextValues.set(trackedCallKey, this);
  }

  get header(): Headers {
    return this.#call.header;
  }

  get log(): TroubleLog<ServiceTrouble> {
    return this.#tracking.log;
  }

  /** The event, as long as it may change. */
  get openEvent(): OpenEvent | undefined {
    return this.#state === "running" ? this.#event : undefined;
  }

  run(next: Next, judgement: Judgement | PendingJudgement): Promise<Answer> {
    return judgement.kind === "pending" ? this.#runWhenJudged(next, judgement) : this.#runJudged(next, judgement);
  }

  lookAgain(): void {
    if (this.#state === "running") this.#observed.lookAgain();
  }

  /** Ends the call for the event's sake, and publishes what is known. */
  abandon(): void {
    if (this.#state === "judging" && this.#pending !== undefined) this.#admit(this.#pending.cutShort());
    if (this.#state === "running") this.#observed.abandon();
  }

  async #runWhenJudged(next: Next, pending: PendingJudgement): Promise<Answer> {
    this.#pending = pending;
    const judgement = await pending.settled;
    return this.#state === "ended" ? next(this.#call) : this.#runJudged(next, judgement);
  }

  #runJudged(next: Next, judgement: Judgement): Promise<Answer> {
    const event = this.#admit(judgement);
    if (event === undefined) return next(this.#call);
    return this.#tracking.publisher.notesStarts ? this.#runIfAccepted(next, event) : this.#observed.run(next);
  }

  async #runIfAccepted(next: Next, event: OpenEvent): Promise<Answer> {
    const answer = await this.#tracking.publisher.begin(event, this.#call);
    if (answer === "refused") return this.#refuse();
    return this.#state === "ended" ? next(this.#call) : this.#observed.run(next);
  }

  /** Starts the event, or gives undefined if the call has none. */
  #admit(judgement: Judgement): OpenEvent | undefined {
    const { source, skipped } = this.#tracking;
    if (judgement.kind === "doubted" && !judgement.admitted) {
      this.#close();
      const message = "there are too many calls without a valid mark: some have no event";
      skipped.add("too_many_unverified", this.#call, message);
      return undefined;
    }
    this.#tracking.tracked += 1;
    const { method, header } = this.#call;
    // If the caller has left meanwhile, Node's headers are gone.
    const sent = this.#exchange?.request === undefined ? header : this.#exchange;
    this.#event = startEvent(source, method, sent, this.#mark, judgement, this.#arrivedAtMs);
    this.#state = "running";
    return this.#event;
  }

  #refuse(): never {
    // A call that a drain has ended meanwhile has its event already.
    if (this.#state !== "ended") {
      this.#close();
      this.#tracking.skipped.add("refused", this.#call, "the publisher refused a call that it cannot record");
    }
    throw new ConnectError("session activity cannot be recorded", Code.ResourceExhausted);
  }

  ended(completion: Completion): void {
    const event = this.openEvent;
    if (event === undefined) return;
    completeEvent(event, completion, Math.max(0, completion.at - this.startedAt));
    this.#state = "ended";
    const { byStatus, inferredByStatus } = this.#tracking;
    const { status } = completion;
    byStatus[status] = (byStatus[status] ?? 0) + 1;
    if (completion.inferred) inferredByStatus[status] = (inferredByStatus[status] ?? 0) + 1;
    this.#tracking.publisher.publish(event, this.#call);
    this.#tracking.open.remove(this);
  }

  /** Ends the call without an event. */
  #close(): void {
    this.#state = "ended";
    this.#tracking.open.remove(this);
  }
}
