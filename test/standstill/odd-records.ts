import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import {
  type SessionActivityEvent,
  SessionActivityEventSchema,
  SessionContextSchema,
} from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { createRandom, type Random } from "../support/random.js";
import {
  anyBytes,
  atBorder,
  farTime,
  illFormedText,
  impossibleTime,
  oddAddress,
  oddText,
  usualTime,
} from "./odd-values.js";

/**
 * What must become of a record. It is said before the record is sent, by how the record is made.
 *
 * - `recorded`: it holds an event with an id, a session and a moment, and the event says something of its session
 * - `silent`: the same, but the event says nothing of its session: there is nothing to record, and it is counted
 * - `poison`: anything else. It is set aside, and counted.
 */
export type Fate = "recorded" | "silent" | "poison";

/** One record, or an event as a process hands it to the history itself. */
export interface OddRecord {
  readonly number: number;
  /** What is odd in it. */
  readonly kind: string;
  readonly fate: Fate;
  readonly content:
    | { readonly to: "kafka"; readonly value: Uint8Array | null }
    | { readonly to: "history"; readonly event: SessionActivityEvent };
}

type EventInit = MessageInitShape<typeof SessionActivityEventSchema> & object;
type ContextInit = MessageInitShape<typeof SessionContextSchema> & object;

/** What an event is made of. */
interface Draft {
  readonly event: EventInit;
  readonly context: ContextInit;
  /** Encoded fields that come last. */
  tail: Uint8Array;
}

/** The number stands in the event's id, whatever else does. */
export function numberIn(eventId: string): number | undefined {
  const digits = /#(\d+)#/.exec(eventId)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Of so many records, about one is poison: 4 %, since at most 5 % may be. */
const poisonEvery = 25;
/** The largest poison is larger than what a dead letter may have by default. It takes time, so there is little of it. */
const largeEvery = 2_000;
const largeBytes = 1_030_000;
const large = Buffer.alloc(largeBytes, 0xff);
/** Longer contexts are not decoded: `maxContextBytes`. */
const maxContextLength = 8_192;

/** Makes a record by its number: the same one each time for the same seed. */
export function createOddRecords(seed: number): (number: number) => OddRecord {
  return (number) => {
    const random = createRandom(seed * 1_000_003 + number);
    if (number % largeEvery === largeEvery - 1) {
      return {
        number,
        kind: "poison: larger than a dead letter",
        fate: "poison",
        content: { to: "kafka", value: large },
      };
    }
    return random.below(poisonEvery) === 0 ? poisonRecord(number, random) : eventRecord(number, random);
  };
}

/** What is odd in an event whose content is recorded all the same, by a name. */
const oddities: Readonly<Record<string, (draft: Draft, random: Random) => void>> = {
  nothing() {},
  "a text in a signal"({ context }, random) {
    const field = random.pick(["deviceId", "country", "userAgent", "authMethod", "actorId", "organizationId"] as const);
    context[field] = oddText(random);
  },
  "a text in the event"({ event }, random) {
    const field = random.pick([
      "service",
      "action",
      "procedure",
      "handlerStatus",
      "instanceId",
      "traceparent",
      "contextProblem",
      "markSignature",
      "status",
    ] as const);
    event[field] = oddText(random);
  },
  "a text in the event's id"({ event }, random) {
    event.eventId = `${event.eventId}${oddText(random)}`;
  },
  "a text in the session's id"({ context }, random) {
    context.sessionId = `${context.sessionId}${oddText(random)}`;
  },
  "a text in the user's id"({ context }, random) {
    context.userId = oddText(random);
  },
  "a text at a border"({ context }, random) {
    context.deviceId = atBorder(random, "😀");
    context.signals = { risk: atBorder(random, "😀") };
  },
  "an address"({ context }, random) {
    context.clientIp = oddAddress(random);
  },
  "a time far off"({ event }, random) {
    event.startedAt = farTime(random);
    if (random.below(2) === 0) event.completedAt = farTime(random);
  },
  "no end, or an impossible one"({ event }, random) {
    if (random.below(2) === 0) delete event.completedAt;
    else event.completedAt = impossibleTime(random);
  },
  "extreme numbers"({ event }, random) {
    event.sequence = random.pick([0n, 2n ** 63n, 2n ** 64n - 1n]);
    event.attempt = random.pick([0, 2 ** 31, 2 ** 32 - 1]);
    event.duration = { seconds: random.pick([-(2n ** 63n), 2n ** 63n - 1n]), nanos: random.pick([-(2 ** 31), 0]) };
    event.timeout = { seconds: random.pick([-(2n ** 63n), 2n ** 63n - 1n]), nanos: 2 ** 31 - 1 };
  },
  "a huge map of signals"({ context }, random) {
    const count = random.pick([63, 64, 65, 200, 400]);
    context.signals = Object.fromEntries(Array.from({ length: count }, (_, i) => [`s${i}`, `${i}`]));
  },
  "a huge map of attributes"({ event }, random) {
    event.attributes = Object.fromEntries(
      Array.from({ length: random.pick([1, 500]) }, (_, i) => [
        `${i}${oddText(random).slice(0, 40)}`,
        oddText(random).slice(0, 40),
      ]),
    );
  },
  "a text as a signal's name"({ context }, random) {
    const other = random.pick(["", "constructor", "toString", "a"]);
    context.signals = { [other]: oddText(random), [oddText(random)]: "value" };
  },
  "a signal named like one of ours, and nothing else"({ context }, random) {
    const { sessionId = "" } = context;
    for (const field of Object.keys(context)) delete context[field as keyof ContextInit];
    context.sessionId = sessionId;
    context.signals = { [random.pick(["device_id", "user_id", "client_ip", "country", "user_agent"])]: "d1" };
  },
  "fields that nobody knows"(draft, random) {
    const field = { no: 20_000 + random.below(1_000), bytes: anyBytes(random, random.below(100)) };
    draft.tail = new BinaryWriter()
      .tag(field.no, WireType.LengthDelimited)
      .bytes(field.bytes)
      .tag(536_870_911, WireType.Varint)
      .uint64(2n ** 64n - 1n)
      .finish();
  },
};

/** What is odd in an event of which nothing can be recorded. */
const emptyOddities: Readonly<Record<string, (draft: Draft, random: Random) => void>> = {
  "silent: only a session"({ context }) {
    for (const field of Object.keys(context)) if (field !== "sessionId") delete context[field as keyof ContextInit];
  },
  "silent: blank signals"({ context }, random) {
    for (const field of Object.keys(context)) if (field !== "sessionId") delete context[field as keyof ContextInit];
    context.signals = { a: "", b: " " };
    context.country = random.pick(["", " ", "\t\u00A0"]);
  },
};

/** What makes poison of an event. */
const poisons: Readonly<Record<string, (draft: Draft, random: Random) => void>> = {
  "poison: no id"({ event }) {
    event.eventId = "";
  },
  "poison: no session context"({ event }) {
    event.encodedSessionContext = "";
  },
  "poison: a session context that is not base64"({ event }, random) {
    event.encodedSessionContext = random.pick(["%%%", "a", "a b", "ä".repeat(100), `${oddText(random)}!`]);
  },
  "poison: a session context without a session"({ context }) {
    delete context.sessionId;
  },
  "poison: a session context that is too long"({ context }) {
    context.signals = { long: "x".repeat(9_000) };
  },
  "poison: no start"({ event }) {
    delete event.startedAt;
  },
  "poison: an impossible start"({ event }, random) {
    event.startedAt = impossibleTime(random);
  },
};

/** What makes poison of bytes. */
const poisonBytes: Readonly<Record<string, (random: Random) => Uint8Array | null>> = {
  "poison: no value": () => null,
  "poison: an empty value": () => Buffer.alloc(0),
  "poison: any bytes": (random) => Buffer.concat([Buffer.of(0xff), anyBytes(random, random.below(200))]),
  "poison: JSON": () => Buffer.from('{"eventId":"a","status":"OK"}'),
};

const badText = "poison: bad UTF-8";
const oddityNames = Object.keys(oddities);
const emptyNames = Object.keys(emptyOddities);
const poisonNames = [...Object.keys(poisons), ...Object.keys(poisonBytes), "poison: a cut event", badText];

function eventRecord(number: number, random: Random): OddRecord {
  const draft = usualDraft(number, random);
  if (random.below(100) === 0) {
    const kind = random.pick(emptyNames);
    emptyOddities[kind]?.(draft, random);
    return { number, kind, fate: "silent", content: { to: "kafka", value: encode(draft) } };
  }
  if (random.below(50) === 0) return illFormedEvent(number, random);
  const [first, second] = [random.pick(oddityNames), random.pick(oddityNames)];
  // The one that takes everything away comes first.
  const kinds = [...new Set([first, second])].toSorted(
    (a, b) => Number(b.includes("else")) - Number(a.includes("else")),
  );
  for (const kind of kinds) oddities[kind]?.(draft, random);
  shorten(draft);
  return { number, kind: kinds.join(" + "), fate: "recorded", content: { to: "kafka", value: encode(draft) } };
}

/** One that no other process can send, but the history's own may give it: its texts have halves of surrogate pairs. */
function illFormedEvent(number: number, random: Random): OddRecord {
  const draft = usualDraft(number, random);
  draft.event.service = illFormedText(random);
  draft.event.action = illFormedText(random);
  draft.event.eventId = `${draft.event.eventId}${illFormedText(random)}`;
  const event = create(SessionActivityEventSchema, { ...draft.event, encodedSessionContext: contextOf(draft) });
  return { number, kind: "half a surrogate pair", fate: "recorded", content: { to: "history", event } };
}

function poisonRecord(number: number, random: Random): OddRecord {
  const kind = random.pick(poisonNames);
  const value = poisonValue(kind, number, random);
  // Older releases of protobuf-es take bad UTF-8 for text.
  const fate = kind === badText && decodes(value) ? "recorded" : "poison";
  return { number, kind, fate, content: { to: "kafka", value } };
}

function poisonValue(kind: string, number: number, random: Random): Uint8Array | null {
  const bytes = poisonBytes[kind];
  if (bytes !== undefined) return bytes(random);
  const draft = usualDraft(number, random);
  if (kind === badText) return withBadText(draft);
  poisons[kind]?.(draft, random);
  const value = encode(draft);
  // Inside its last field, so that this is not the whole of a shorter event.
  return kind === "poison: a cut event" ? value.subarray(0, -1 - random.below(3)) : value;
}

/** UTF-8 of half a surrogate pair, which is none: it stands where another character of three bytes stood. */
function withBadText(draft: Draft): Uint8Array {
  draft.event.action = "\uE0BD";
  const value = Buffer.from(encode(draft));
  value.set([0xed, 0xa0, 0xbd], value.indexOf("\uE0BD"));
  return value;
}

function usualDraft(number: number, random: Random): Draft {
  const startedAt = usualTime(random);
  return {
    event: {
      eventId: `#${number}#`,
      service: "account-service",
      action: "change_password",
      procedure: "/example.account.v1.AccountService/ChangePassword",
      status: "OK",
      handlerStatus: "OK",
      startedAt,
      completedAt: { seconds: startedAt.seconds, nanos: Math.min(999_999_999, startedAt.nanos + 5_000_000) },
      attributes: { last: "last" },
    },
    tail: new Uint8Array(0),
    context: {
      sessionId: `session-${random.below(5_000)}`,
      userId: `user-${random.below(1_000)}`,
      deviceId: random.pick(["phone", "laptop"]),
      country: random.pick(["DE", "FR"]),
      clientIp: "192.0.2.7",
    },
  };
}

/** Long texts go until the context is short enough to be decoded. */
function shorten(draft: Draft): void {
  for (const field of ["userAgent", "organizationId", "actorId", "authMethod", "clientIp", "country"] as const) {
    if (contextOf(draft).length > maxContextLength) delete draft.context[field];
  }
  if (contextOf(draft).length > maxContextLength) draft.context.signals = { kept: "kept" };
  for (const field of ["deviceId", "userId", "sessionId"] as const) {
    if (contextOf(draft).length > maxContextLength) draft.context[field] = "kept";
  }
}

function contextOf({ context }: Draft): string {
  return Buffer.from(toBinary(SessionContextSchema, create(SessionContextSchema, context))).toString("base64");
}

function encode(draft: Draft): Uint8Array {
  const encodedSessionContext = draft.event.encodedSessionContext ?? contextOf(draft);
  const event = create(SessionActivityEventSchema, { ...draft.event, encodedSessionContext });
  return Buffer.concat([toBinary(SessionActivityEventSchema, event), draft.tail]);
}

function decodes(value: Uint8Array | null): boolean {
  try {
    return value !== null && fromBinary(SessionActivityEventSchema, value).eventId !== "";
  } catch {
    return false;
  }
}
