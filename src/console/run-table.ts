import { fromBinary } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type SessionActivityRun,
  SessionActivityRunSchema,
} from "../../gen/sessionactivity/v1/session_activity_run_pb.js";
import { cutText } from "../base/text.js";
import type { Completeness, CompletenessDetails, RunStatus } from "./messages.js";
import { RecentKeys } from "./recent-keys.js";
import { SequenceGaps } from "./sequence-gaps.js";

/** What the table itself knows of how complete the trail is. */
export type RunCounts = Pick<
  Completeness,
  "since" | "open" | "closed" | "dead" | "unknown" | "declared" | "undeclared" | "holes"
>;

/** A run writes a record every minute. Five that are missing mean that it is gone, as for a checker of runs. */
const deadAfterMs = 300_000;
/** The newest runs count. A stranger who may write to the topic could make up any number of them. */
const maxRuns = 10_000;
const maxListed = 500;
const maxNameCharacters = 128;
const maxReasons = 32;
/** Records come more than once: of so many losses it is known that they are counted already. */
const rememberedLosses = 100_000;

interface Run {
  service: string;
  state: string;
  startedAt: number | undefined;
  at: number | undefined;
  lastSequence: bigint;
  readonly declared: Map<string, number>;
  undeclared: bigint;
  readonly gaps: SequenceGaps;
}

/** What run records and the numbers of events say about the runs. */
export class RunTable {
  readonly #runs: Map<string, Run> = new Map();
  readonly #losses: RecentKeys = new RecentKeys(rememberedLosses);
  readonly #since: number;

  constructor(now: number) {
    this.#since = now;
  }

  /**
   * Takes the bytes of a run record, and when it was written. Answers how many losses it declares that were not known and are
   * new. Of numbers before the console has looked, nothing is known but what records say.
   */
  takeRecord(bytes: Uint8Array, writtenAt: number, now: number): number {
    const record = decode(bytes);
    if (record === undefined || record.instanceId === "") return 0;
    const run = this.#runOf(record.instanceId, record.service);
    // Records of a run may come in any order, and its end is final.
    if (!isEnd(run.state)) run.state = cutText(record.state, maxNameCharacters);
    run.service = cutText(record.service, maxNameCharacters);
    run.startedAt ??= record.startedAt && timestampMs(record.startedAt);
    run.at = Math.max(run.at ?? 0, record.at === undefined ? 0 : timestampMs(record.at));
    if (record.lastSequence > run.lastSequence) run.lastSequence = record.lastSequence;
    if (record.undeclaredLosses > run.undeclared) run.undeclared = record.undeclaredLosses;
    // What lies above the confirmed number is on its way, unless the run is at its end.
    const isNew = writtenAt >= this.#since;
    if (isNew) run.gaps.given(isEnd(record.state) ? record.lastSequence : record.confirmedSequence, now);
    const added = this.#takeLosses(run, record);
    if (isNew) for (const sequence of added) run.gaps.seen(sequence, now);
    return isNew ? added.length : 0;
  }

  /** Takes the number of an event that has just come. */
  takeEvent(instanceId: string, service: string, sequence: bigint, now: number): void {
    if (instanceId === "" || sequence === 0n) return;
    this.#runOf(instanceId, service).gaps.seen(sequence, now);
  }

  counts(now: number): RunCounts {
    const counts = { open: 0, closed: 0, dead: 0, unknown: 0 };
    let declared = 0;
    let undeclared = 0n;
    let holes = 0n;
    for (const run of this.#runs.values()) {
      counts[stateOf(run, now)] += 1;
      for (const count of run.declared.values()) declared += count;
      undeclared += run.undeclared;
      holes += run.gaps.count(now);
    }
    return { since: this.#since, ...counts, declared, undeclared: Number(undeclared), holes: String(holes) };
  }

  /** The runs, those first that somebody should look at. */
  list(now: number): Pick<CompletenessDetails, "runs" | "left"> {
    const runs = [...this.#runs].map(([instanceId, run]) => statusOf(instanceId, run, now));
    runs.sort((a, b) => rankOf(a) - rankOf(b));
    return { runs: runs.slice(0, maxListed), left: Math.max(0, runs.length - maxListed) };
  }

  #runOf(instanceId: string, service: string): Run {
    const id = cutText(instanceId, maxNameCharacters);
    const known = this.#runs.get(id);
    if (known !== undefined) return known;
    const run: Run = {
      service: cutText(service, maxNameCharacters),
      state: "",
      startedAt: undefined,
      at: undefined,
      lastSequence: 0n,
      declared: new Map(),
      undeclared: 0n,
      gaps: new SequenceGaps(),
    };
    this.#runs.set(id, run);
    if (this.#runs.size > maxRuns) this.#forgetSome();
    return run;
  }

  /** Those that have ended tell the least. Some at once, since each look at all of them takes a while. */
  #forgetSome(): void {
    const all = [...this.#runs].map(([id, { state }]) => ({ id, rank: isEnd(state) ? 0 : 1 }));
    const order = all.toSorted((one, other) => one.rank - other.rank);
    for (const { id } of order.slice(0, maxRuns / 10)) this.#runs.delete(id);
  }

  /** Answers with the numbers that were not declared before. */
  #takeLosses(run: Run, { instanceId, losses }: SessionActivityRun): bigint[] {
    const added = losses.filter(
      ({ sequence }) => !this.#losses.note(`${sequence} ${cutText(instanceId, maxNameCharacters)}`),
    );
    for (const { reason } of added) {
      const name = cutText(reason, maxNameCharacters);
      const key = run.declared.has(name) || run.declared.size < maxReasons ? name : "other";
      run.declared.set(key, (run.declared.get(key) ?? 0) + 1);
    }
    return added.map(({ sequence }) => sequence);
  }
}

function decode(bytes: Uint8Array): SessionActivityRun | undefined {
  try {
    return fromBinary(SessionActivityRunSchema, bytes);
  } catch {
    // Not a run record. Nothing that it could say can be believed.
    return undefined;
  }
}

function isEnd(state: string): boolean {
  return state === "ENDED" || state === "RECOVERED";
}

function stateOf({ state, at }: Run, now: number): RunStatus["state"] {
  if (isEnd(state)) return "closed";
  if (at === undefined) return "unknown";
  return now - at > deadAfterMs ? "dead" : "open";
}

const order: readonly RunStatus["state"][] = ["dead", "open", "unknown", "closed"];

/** First come those of which something is missing. */
function rankOf({ state, holes, undeclared }: RunStatus): number {
  const isComplete = holes === "0" && undeclared === 0;
  return order.indexOf(state) + (isComplete ? order.length : 0);
}

function statusOf(instanceId: string, run: Run, now: number): RunStatus {
  return {
    instanceId,
    service: run.service,
    state: stateOf(run, now),
    startedAt: run.startedAt,
    at: run.at,
    lastSequence: String(run.lastSequence > (run.gaps.highest ?? 0n) ? run.lastSequence : (run.gaps.highest ?? 0n)),
    declared: Object.fromEntries(run.declared),
    undeclared: Number(run.undeclared),
    holes: String(run.gaps.count(now)),
  };
}
