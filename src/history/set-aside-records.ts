import { fromBinary } from "@bufbuild/protobuf";
import {
  type SessionActivityEvent,
  SessionActivityEventSchema,
} from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { maxInt32, type Option, type OptionsOf, readOptions } from "../base/options.js";
import { cutText } from "../base/text.js";
import { classifyFailure } from "./database-failure.js";
import type { HistorySettings } from "./history-options.js";
import { limitOption, type SignalChange, type SignalPageQuery } from "./queries.js";
import { activityOf } from "./recorded-activity.js";
import { cellOf } from "./row-cells.js";
import type { Ask } from "./statement.js";
import { idOf } from "./stored-text.js";

/** A record to set aside. What a consumer hands over fits. */
export interface RecordToSetAside {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly value?: Uint8Array | undefined;
}

/** A record that was set aside. */
export interface SetAsideRecord {
  /** The id of its event. Undefined if it holds none. */
  readonly eventId: string | undefined;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Why, as whoever set it aside said. */
  readonly reason: string;
  readonly setAsideAt: Date;
  /** Whether its bytes are kept, so that it can be tried again. */
  readonly retryable: boolean;
  /** The place of this record among all, for {@link SignalPageQuery.after}. */
  readonly cursor: string;
}

/** What became of records that were tried again. */
export interface RetriedRecords {
  /** Records that are set aside no more: they are recorded, or turned out not to be for the history. */
  readonly recorded: number;
  /** Records that still cannot be recorded, and stay. */
  readonly kept: number;
  /** The changes that the recorded ones triggered. */
  readonly changes: readonly SignalChange[];
  /** Where to go on, for {@link SignalPageQuery.after}. Undefined if there were no more. */
  readonly cursor: string | undefined;
}

/**
 * What became of a record that was to be set aside.
 *
 * - `set_aside`: it is kept
 * - `duplicate`: it was kept before
 * - `forgotten`: its session or its user was forgotten, so nothing of it may be kept
 * - `full`: what was set aside takes `maxSetAsideBytes`, so it is not kept
 */
export type SetAsideOutcome = (typeof outcomes)[number];

const outcomes = ["set_aside", "duplicate", "forgotten", "full"] as const;

/** The table of what was set aside. */
export interface SetAsideTable {
  add(record: RecordToSetAside, reason: string): Promise<SetAsideOutcome>;
  list(page?: SignalPageQuery): Promise<SetAsideRecord[]>;
  retry(page?: SignalPageQuery): Promise<RetriedRecords>;
}

/** Brokers allow 249 characters. */
const maxTopicCharacters = 249;
const maxReasonCharacters = 256;
/** What brokers take by default. */
const maxRecordBytes = 1_048_576;

const pageTable: OptionsOf<{ readonly after: string; readonly limit: number }> = {
  after: {
    meaning: "Only what comes after the record with this `cursor`",
    expects: "the cursor of a record",
    byDefault: "0",
    read: (value) => (typeof value === "string" && /^\d{1,18}$/.test(value) ? value : undefined),
  },
  limit: { ...limitOption, expects: limitOption.expects.replace("changes", "records") } satisfies Option<number>,
};

/** Creates the table's methods. `record` records one event. */
export function createSetAsideTable(
  ask: Ask,
  settings: HistorySettings,
  record: (event: SessionActivityEvent) => Promise<readonly SignalChange[]>,
): SetAsideTable {
  const { schema, tombstones, maxSetAsideBytes } = settings;

  async function add(given: RecordToSetAside, reason: string): Promise<SetAsideOutcome> {
    const event = decode(given.value);
    const owner = event && (await ownerOf(event, settings));
    const entry = {
      topic: cutText(given.topic, maxTopicCharacters),
      partition: isWithin(given.partition, maxInt32) ? given.partition : -1,
      record_offset: isWithin(given.offset, Number.MAX_SAFE_INTEGER) ? given.offset : -1,
      event_id: event ? idOf(event.eventId) : "",
      reason: cutText(reason, maxReasonCharacters),
      ...owner,
      // Whose it is must be known: otherwise nobody could forget it.
      record: owner && bytesOf(given.value),
    };
    const marks = owner && tombstones ? tombstones.marksOf([owner.session_id], owner.user_id) : [];
    const statement = `select ${schema}.set_aside_record_4($1::text::jsonb, $2, $3, $4::text::bigint) as outcome`;
    const values = [JSON.stringify(entry), marks, tombstones?.keyId ?? null, String(maxSetAsideBytes)];
    const [row] = await ask(statement, values);
    return outcomes.find((one) => one === row?.["outcome"]) ?? "full";
  }

  async function find(after: string, limit: number): Promise<SetAsideRecord[]> {
    const statement = `select s.id::text as id, s.topic, s.partition::text as partition, s.reason, s.event_id,
        s.record_offset::text as record_offset, (s.record is not null)::text as retryable,
        (extract(epoch from s.set_aside_at) * 1000)::bigint::text as at_ms
      from ${schema}.set_aside s where s.id > $1::bigint order by s.id limit ${limit}`;
    const rows = await ask(statement, [after]);
    return rows.map((row) => {
      const cell = (column: string): string => cellOf(row, column);
      return {
        eventId: cell("event_id") === "" ? undefined : cell("event_id"),
        topic: cell("topic"),
        partition: Number(cell("partition")),
        offset: Number(cell("record_offset")),
        reason: cell("reason"),
        setAsideAt: new Date(Number(cell("at_ms"))),
        retryable: cell("retryable") === "true",
        cursor: cell("id"),
      };
    });
  }

  /** Answers with the changes, or undefined if it still cannot be recorded. */
  async function retryOne({ cursor }: SetAsideRecord): Promise<readonly SignalChange[] | undefined> {
    const statement = `select encode(s.record, 'base64') as record from ${schema}.set_aside s where s.id = $1::bigint`;
    const [row] = await ask(statement, [cursor]);
    // Somebody else was faster.
    if (row === undefined) return [];
    const event = decode(Buffer.from(String(row["record"]), "base64"));
    if (event === undefined || !(await isRecordable(event, settings))) return undefined;
    try {
      const changes = await record(event);
      // Later, and not at once with it: what is recorded twice counts once.
      await ask(`delete from ${schema}.set_aside s where s.id = $1::bigint`, [cursor]);
      return changes;
    } catch (error) {
      if (classifyFailure(error) === "poison") return undefined;
      throw error;
    }
  }

  return {
    add,
    list(page) {
      const { after, limit } = readOptions("listSetAside", pageTable, page);
      return find(after, limit);
    },
    async retry(page) {
      const { after, limit } = readOptions("retrySetAside", pageTable, page);
      const records = await find(after, limit);
      const changes: SignalChange[] = [];
      let kept = 0;
      for (const one of records) {
        const made = one.retryable ? await retryOne(one) : undefined;
        if (made === undefined) kept += 1;
        else changes.push(...made);
      }
      return { recorded: records.length - kept, kept, changes, cursor: records.at(-1)?.cursor };
    },
  };
}

function decode(value: Uint8Array | undefined): SessionActivityEvent | undefined {
  try {
    return value && fromBinary(SessionActivityEventSchema, value);
  } catch {
    return undefined;
  }
}

/** Whose an event is. Undefined if that cannot be told. */
async function ownerOf(
  event: SessionActivityEvent,
  { signals }: HistorySettings,
): Promise<{ readonly session_id: string; readonly user_id: string | undefined } | undefined> {
  try {
    const { sessionId = "", userId } = (await signals(event)) ?? {};
    return sessionId === "" ? undefined : { session_id: idOf(sessionId), user_id: userId ? idOf(userId) : undefined };
  } catch {
    return undefined;
  }
}

/** What is invalid would be left out, and nobody would see it any more. */
async function isRecordable(event: SessionActivityEvent, settings: HistorySettings): Promise<boolean> {
  const found = await activityOf(event, settings);
  return found.kind === "activity" || !(found.reason === "invalid" || found.reason === "error");
}

function bytesOf(value: Uint8Array | undefined): string | undefined {
  if (value === undefined || value.length > maxRecordBytes) return undefined;
  return Buffer.from(value.buffer, value.byteOffset, value.length).toString("base64");
}

function isWithin(number: number, max: number): boolean {
  return Number.isInteger(number) && number >= 0 && number <= max;
}
