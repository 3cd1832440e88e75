import { create, toBinary } from "@bufbuild/protobuf";
import { type Timestamp, timestampNow } from "@bufbuild/protobuf/wkt";
import {
  type SessionActivityRun_Counts,
  SessionActivityRun_CountsSchema,
  SessionActivityRunSchema,
} from "../../gen/sessionactivity/v1/session_activity_run_pb.js";
import { createTroubleLog, type Logger, type TroubleLog } from "../base/log.js";
import { type EventRecord, isEventRecord } from "../publishing/event-record.js";
import type { DropReason, LossReason, Publisher, Settled } from "../publishing/publisher.js";
import type { RunState, RunStats } from "../publishing/run-record.js";
import { type LossChunk, PendingLosses } from "./pending-losses.js";
import type { TrailTrouble } from "./trail-troubles.js";

/** What a run counts beside its events. */
export interface RunCounts {
  readonly skipped: Readonly<Record<string, number>>;
  readonly bypassed: number;
  readonly leftEarly: number;
  readonly unverified: Readonly<Record<string, number>>;
}

/** The run that is recorded. */
export interface RecordedRun {
  readonly instanceId: string;
  readonly service: string;
  /** What it has counted until now. Must not throw. */
  counts(): RunCounts;
}

/** A publisher that records the run of its events. */
export interface RunRecorder extends Publisher {
  /** The run starts. Call it once, before its first event. */
  start(run: RecordedRun): void;
  runs(): RunStats;
}

/** A publisher that takes run records. */
export type PublisherWithRuns = Publisher & Required<Pick<Publisher, "publishRun">>;

/** Whether a publisher takes run records. */
export function takesRuns(publisher: Publisher): publisher is PublisherWithRuns {
  return publisher.publishRun !== undefined;
}

/** What a recorder needs. */
export interface RunRecorderSettings {
  /** Gets the events and the run records. */
  readonly publisher: PublisherWithRuns;
  readonly log: Logger | false | undefined;
  /** How often a record is written. @default a minute */
  readonly everyMs?: number;
}

const minuteMs = 60_000;

/**
 * Creates a publisher that hands events on, and writes the records of their run: when it starts, every minute, and when it ends.
 * It never waits, and a record that is lost harms nothing: the next one says all that it said.
 */
export function createRunRecorder({ publisher, log, everyMs = minuteMs }: RunRecorderSettings): RunRecorder {
  const trouble = createTroubleLog<TrailTrouble>(log);
  let run: Run | undefined;
  let listener: Settled | undefined;
  let timer: NodeJS.Timeout | undefined;

  const settled: Settled = (outcome, record) => {
    run?.settle(record, outcome);
    listener?.(outcome, record);
  };

  const { begin, flush, problem, spool } = publisher;
  return {
    start(recorded) {
      run = new Run(recorded, publisher, trouble);
      run.write();
      timer = setInterval(() => run?.write(), everyMs).unref();
    },
    publish(record, told) {
      listener = told;
      run?.add(record);
      try {
        publisher.publish(record, settled);
      } catch (error) {
        run?.settle(record, "publisher_error");
        throw error;
      }
    },
    ...(begin && { begin: begin.bind(publisher) }),
    ...(flush && { flush: flush.bind(publisher) }),
    ...(spool && { spool: spool.bind(publisher) }),
    problem: () => problem?.call(publisher) ?? (run?.isFailing === true ? "runs_failed" : undefined),
    stats: () => publisher.stats(),
    runs: () => run?.stats() ?? noStats,
    close() {
      clearInterval(timer);
      return publisher.close(() => run?.end() ?? Promise.resolve());
    },
  };
}

const noStats: RunStats = { open: 0, delivered: 0, dropped: {}, declared: 0, undeclared: 0, unnamed: 0 };

/** What a record that is on its way said. */
interface Sent {
  readonly chunk: LossChunk | undefined;
  readonly confirmed: bigint;
  /** Whether it named all losses. */
  readonly isComplete: boolean;
  /** Whether it was written to end the run. */
  readonly isEnding: boolean;
  /** Whether it ends the run. */
  readonly isLast: boolean;
}

/** One run, from its start to its end. One record of it is on its way at a time. */
class Run {
  readonly #run: RecordedRun;
  readonly #publisher: PublisherWithRuns;
  readonly #log: TroubleLog<TrailTrouble>;
  readonly #startedAt: Timestamp = timestampNow();
  /** The numbers of events on their way, in the order of their numbers. Small integers cost the garbage collector nothing. */
  readonly #open: Set<number> = new Set();
  readonly #losses: PendingLosses = new PendingLosses();
  #last = 0n;
  /** The highest `confirmed_sequence` that a record has said. */
  #confirmed = 0n;
  #delivered = 0;
  readonly #dropped: Partial<Record<DropReason, number>> = {};
  #declared = 0;
  #isBusy = false;
  #isFailing = false;
  #isClosed = false;
  #ended: (() => void) | undefined;

  constructor(run: RecordedRun, publisher: PublisherWithRuns, log: TroubleLog<TrailTrouble>) {
    this.#run = run;
    this.#publisher = publisher;
    this.#log = log;
  }

  /** Whether the last record was not delivered. */
  get isFailing(): boolean {
    return this.#isFailing;
  }

  /** An event is about to be published. */
  add(record: EventRecord): void {
    if (!this.#owns(record)) return;
    this.#last = record.sequence;
    this.#open.add(Number(record.sequence));
  }

  /** It is known what became of an event. */
  settle(record: EventRecord, outcome: "delivered" | LossReason): void {
    if (!this.#owns(record) || !this.#open.delete(Number(record.sequence)) || outcome === "delivered") return;
    if (this.#losses.add(record, outcome)) return;
    const message = "more events are lost than run records can name: they tell the number only. Check Kafka";
    this.#log.error("losses_unnamed", { unnamed: this.#losses.unnamed }, message);
  }

  /** Writes a record, unless one is on its way. */
  write(): void {
    if (this.#isBusy) return;
    this.#isBusy = true;
    const isComplete = this.#losses.fitsOne;
    const isEnding = this.#ended !== undefined;
    // What lies in a spool is not settled yet: then another process closes the run.
    const isLast = isComplete && isEnding && this.#publisher.stats().queued === 0;
    const confirmed = isComplete ? this.#settledTo() : this.#confirmed;
    const sent: Sent = { chunk: this.#losses.take(), confirmed, isComplete, isEnding, isLast };
    const { instanceId } = this.#run;
    const bytes = this.#encoded(isLast ? "ENDED" : this.#delivered === 0 ? "STARTED" : "RUNNING", sent);
    this.#publisher.publishRun({ instanceId, bytes, isLast }, (outcome) => this.#wrote(outcome, sent));
  }

  /** Says what is left to say. Resolves when Kafka has it, or when it is clear that it will not. */
  end(): Promise<void> {
    return new Promise((resolve) => {
      this.#ended = resolve;
      this.write();
    });
  }

  stats(): RunStats {
    return {
      open: this.#isClosed ? 0 : 1,
      delivered: this.#delivered,
      dropped: { ...this.#dropped },
      declared: this.#declared,
      undeclared: this.#losses.count,
      unnamed: this.#losses.unnamed,
    };
  }

  #wrote(outcome: "delivered" | DropReason, sent: Sent): void {
    this.#isBusy = false;
    this.#isFailing = outcome !== "delivered";
    if (outcome === "delivered") this.#keepWritten(sent);
    else this.#keepLost(outcome, sent);
    const hasMore = outcome === "delivered" && !sent.isComplete;
    if (hasMore || (this.#ended !== undefined && !sent.isEnding)) this.write();
    else this.#ended?.();
  }

  #keepWritten({ chunk, confirmed, isLast }: Sent): void {
    this.#delivered += 1;
    this.#isClosed = isLast;
    this.#confirmed = confirmed;
    if (chunk === undefined) return;
    this.#declared += chunk.count;
    this.#losses.declared();
  }

  #keepLost(reason: DropReason, { chunk }: Sent): void {
    this.#dropped[reason] = (this.#dropped[reason] ?? 0) + 1;
    const advice =
      "check that its topic exists and that this service may write to it, or set kafka.runsTopic to false, in code or by SESSION_TRACKING_KAFKA_RUNS_TOPIC";
    const message = `a run record was not delivered, so nobody can tell whether all events arrived: ${advice}`;
    this.#log.warn("run_record_dropped", { service: this.#run.service, reason }, message);
    if (chunk === undefined) return;
    if (reason === "too_large") this.#losses.giveUp();
    else this.#losses.putBack();
  }

  /** The highest number up to which no event is on its way. */
  #settledTo(): bigint {
    const [oldest] = this.#open;
    return oldest === undefined ? this.#last : BigInt(oldest) - 1n;
  }

  #encoded(state: RunState, { chunk, confirmed }: Sent): Uint8Array {
    const { instanceId, service } = this.#run;
    const message = create(SessionActivityRunSchema, {
      instanceId,
      service,
      state,
      startedAt: this.#startedAt,
      at: timestampNow(),
      lastSequence: this.#last,
      confirmedSequence: confirmed,
      undeclaredLosses: BigInt(this.#losses.unnamed),
      counts: this.#counts(),
      spooled: this.#publisher.spool !== undefined,
    });
    const bytes = toBinary(SessionActivityRunSchema, message);
    return chunk === undefined ? bytes : Buffer.concat([bytes, chunk.bytes]);
  }

  #counts(): SessionActivityRun_Counts {
    const { delivered, dropped } = this.#publisher.stats();
    const { skipped, bypassed, leftEarly, unverified } = this.#run.counts();
    return create(SessionActivityRun_CountsSchema, {
      delivered: BigInt(delivered),
      dropped: toBigInts(dropped),
      skipped: toBigInts(skipped),
      bypassed: BigInt(bypassed),
      leftEarly: BigInt(leftEarly),
      unverified: toBigInts(unverified),
    });
  }

  #owns(record: EventRecord): boolean {
    return isEventRecord(record) && record.instanceId === this.#run.instanceId;
  }
}

function toBigInts(counts: Readonly<Record<string, number>>): Record<string, bigint> {
  return Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, BigInt(count)]));
}
