import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampMs, timestampNow } from "@bufbuild/protobuf/wkt";
import {
  type SessionActivityRun,
  type SessionActivityRun_Loss,
  SessionActivityRun_LossSchema,
  SessionActivityRunSchema,
} from "../../gen/sessionactivity/v1/session_activity_run_pb.js";
import { leafHash } from "../publishing/leaf-hash.js";
import type { DropReason, Publisher } from "../publishing/publisher.js";
import type { RunState } from "../publishing/run-record.js";
import { lastNumber } from "./interrupted.js";
import { asidePrefix, endOf, runPrefix, whatIsAside } from "./spool-keys.js";
import type { SpoolEntry, SpoolStore } from "./spool-store.js";

/** What became of the runs of a spool. */
export type RunClosing =
  /** Each was closed. `runs` is how many there were. */
  | { readonly kind: "closed"; readonly runs: number }
  /** One was not, for this reason. Its record stays in the store, unless it has been refused for a day. */
  | { readonly kind: "left"; readonly runs: number; readonly reason: DropReason };

/** So many entries are read at once, and so many losses stand in one record. */
const usuallyAtOnce = 500;
/** A service that may not write run records must not keep the spools of all its dead processes for them. */
const patienceMs = 24 * 60 * 60_000;
const refusals: readonly DropReason[] = ["unauthorized", "unknown_topic", "too_large", "invalid_record"];

/**
 * Closes the runs of a spool whose process has died, when all its events are delivered or set aside: Kafka gets a record that
 * says so. The last record that the run itself has written is in the store, and goes from there when Kafka has the new one.
 */
export async function closeRuns(
  store: SpoolStore,
  publisher: Publisher,
  atOnce: number = usuallyAtOnce,
): Promise<RunClosing> {
  const kept = await store.read({ after: runPrefix, before: endOf(runPrefix), limit: atOnce });
  for (const [runs, entry] of kept.entries()) {
    const last = entry.value && decoded(entry.value);
    const reason = last && (await closeRun(store, publisher, last, atOnce));
    if (reason === undefined || isHopeless(reason, last)) await store.write([{ type: "del", key: entry.key }]);
    if (reason !== undefined) return { kind: "left", runs, reason };
  }
  return { kind: "closed", runs: kept.length };
}

/** Resolves to why Kafka does not have it. Undefined if it has. */
async function closeRun(
  store: SpoolStore,
  publisher: Publisher,
  last: SessionActivityRun,
  atOnce: number,
): Promise<DropReason | undefined> {
  const number = await lastNumber(store, last.instanceId);
  const isNewer = number > last.lastSequence;
  const lastSequence = isNewer ? number : last.lastSequence;
  const { counts: _, ...known } = last;
  const end = { ...known, state: "RECOVERED" satisfies RunState, lastSequence, confirmedSequence: lastSequence };
  for await (const losses of lossesOf(store, last, atOnce)) {
    const record = create(SessionActivityRunSchema, { ...end, losses, at: timestampNow() });
    const outcome = await published(publisher, record);
    if (outcome !== "delivered") return outcome;
  }
  return undefined;
}

function isHopeless(reason: DropReason, { at }: Pick<SessionActivityRun, "at"> = {}): boolean {
  return refusals.includes(reason) && at !== undefined && Date.now() - timestampMs(at) > patienceMs;
}

/** What the run itself had to declare, then what was set aside, in groups. At least one, which may be empty. */
async function* lossesOf(
  store: SpoolStore,
  { instanceId, losses }: SessionActivityRun,
  atOnce: number,
): AsyncGenerator<SessionActivityRun_Loss[], void, void> {
  yield losses;
  for (let after = asidePrefix; ; ) {
    const entries = await store.read({ after, before: endOf(asidePrefix), limit: atOnce });
    const last = entries.at(-1);
    if (last === undefined) return;
    const aside = entries.flatMap((entry) => lossOf(entry, instanceId));
    if (aside.length > 0) yield aside;
    after = last.key;
  }
}

/** An event without a number was never given one. */
function lossOf({ key, value }: SpoolEntry, instanceId: string): SessionActivityRun_Loss[] {
  const aside = whatIsAside(key);
  if (aside === undefined || aside.instanceId !== instanceId) return [];
  const { sequence, reason } = aside;
  return [create(SessionActivityRun_LossSchema, { sequence, reason, ...(value && { leafHash: leafHash(value) }) })];
}

function published(publisher: Publisher, run: SessionActivityRun): Promise<"delivered" | DropReason> {
  const { instanceId } = run;
  const bytes = toBinary(SessionActivityRunSchema, run);
  return new Promise((resolve) => {
    // Run records were switched off since: then nobody waits for this one.
    if (publisher.publishRun === undefined) resolve("delivered");
    else publisher.publishRun({ instanceId, bytes, isLast: true }, resolve);
  });
}

function decoded(bytes: Uint8Array): SessionActivityRun | undefined {
  try {
    return fromBinary(SessionActivityRunSchema, bytes);
  } catch {
    return undefined;
  }
}
