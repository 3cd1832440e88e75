import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type Arbitrary,
  bigInt,
  boolean,
  constant,
  constantFrom,
  dictionary,
  integer,
  nat,
  oneof,
  option,
  record,
  string,
  tuple,
} from "fast-check";
import { type SessionActivityEvent, SessionActivityEventSchema, SessionContextSchema } from "../../src/index.js";

/** An event as a stranger may make it. It went over the wire, so its texts are UTF-8. */
export interface OddEvent {
  readonly event: SessionActivityEvent;
  /** Whether it has an id, a session, signals that are not too many, and a time that may be: it must be recorded. */
  readonly isGood: boolean;
}

/** Texts whose halves, lengths and characters are at the borders of what stores take. */
const oddText: Arbitrary<string> = oneof(
  string({ unit: "binary", maxLength: 12 }),
  constantFrom(
    "",
    "\0",
    "\0\0\0",
    "\uFFFD",
    "\u0001\u001f\u007f",
    "__proto__",
    "constructor",
    '"\\',
    "é",
    "e\u0301",
    "\u202e",
  ),
  tuple(
    constantFrom("a", "é", "😀", "\0", "\u0001"),
    constantFrom(127, 128, 129, 255, 256, 257, 1_023, 1_024, 1_025),
    string(),
  ).map(([one, times, end]) => `${one.repeat(times)}${end}`),
  tuple(constantFrom(127, 255, 1_023), constantFrom("😀", "\ud83d", "\ude00", "\ud83d😀")).map(
    ([times, end]) => `${"a".repeat(times)}${end}`,
  ),
);

const oddAddress: Arbitrary<string> = constantFrom(
  "203.0.113.7:51234",
  "[::ffff:cb00:7107]:1",
  "::ffff:1.2.3.4%eth0",
  "1.2.3.4, 5.6.7.8",
  ",,,",
  "[",
);

const instant = { min: 946_684_800n, max: 1_735_689_600n };
const oddSeconds: Arbitrary<bigint> = oneof(
  bigInt(instant),
  bigInt(instant),
  bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  constantFrom(
    0n,
    -62_135_596_800n,
    -62_135_596_801n,
    253_402_300_799n,
    253_402_300_800n,
    2n ** 63n - 1n,
    -(2n ** 63n),
  ),
);
const oddNanos: Arbitrary<number> = oneof(
  nat(999_999_999),
  nat(999_999_999),
  integer(),
  constantFrom(-1, 1_000_000_000),
);
const oddTime = option(record({ seconds: oddSeconds, nanos: oddNanos }), { nil: undefined, freq: 12 });

const isPossible = (time: { seconds: bigint; nanos: number } | undefined): boolean =>
  time !== undefined &&
  time.seconds >= -62_135_596_800n &&
  time.seconds <= instant.max &&
  time.nanos >= 0 &&
  time.nanos < 1_000_000_000;

/** Events with one or more odd fields. */
export const oddEvents: Arbitrary<OddEvent> = record({
  eventId: oneof(oddText, string({ minLength: 8 })),
  startedAt: oddTime,
  completedAt: oddTime,
  sessionId: oneof(oddText, constantFrom("s-1", "s-2", "s-3")),
  userId: oddText,
  deviceId: oddText,
  country: oddText,
  clientIp: oneof(oddText, oddAddress),
  signals: oneof(
    constant({}),
    dictionary(oddText, oddText, { maxKeys: 6 }),
    dictionary(string(), string(), { minKeys: 60, maxKeys: 80 }),
  ),
  text: oddText,
  verified: boolean(),
}).map(({ sessionId, userId, deviceId, country, clientIp, signals, text, verified, ...more }) => {
  // One that a well-made gateway would not send, perhaps: the same signal twice.
  const context = create(SessionContextSchema, { sessionId, userId, deviceId, country, clientIp, signals });
  const encodedSessionContext = Buffer.from(toBinary(SessionContextSchema, context)).toString("base64");
  const event = create(SessionActivityEventSchema, {
    ...more,
    status: text,
    service: text,
    action: text,
    procedure: text,
    contextVerified: verified,
    encodedSessionContext,
  });
  const isSmall = encodedSessionContext.length <= 8_192 && Object.keys(signals).length + 4 <= 64;
  const hasSignal = [userId, deviceId].some((value) => value.trim() !== "");
  return {
    event: fromBinary(SessionActivityEventSchema, toBinary(SessionActivityEventSchema, event)),
    isGood: more.eventId !== "" && sessionId !== "" && isSmall && hasSignal && isPossible(more.startedAt),
  };
});
