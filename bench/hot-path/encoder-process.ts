// Makes events in one of some ways, as often as it is asked.
import { create, toBinary } from "@bufbuild/protobuf";
import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { type SessionActivityEvent, SessionActivityEventSchema } from "connect-session-activity";
import { AccountService } from "../../gen/example/account/v1/account_pb.js";
import { completeEvent, type OpenEvent, startEvent } from "../../src/service/event.js";
import { encodeEvent } from "../../src/service/event-encoder.js";
import { answerParent } from "../kit/peer-process.js";
import { cpuBetween, type ThreadCpu, threadsOf } from "../kit/thread-cpu.js";
import { typicalContext } from "../kit/typical-event.js";

export type EncoderName = "the fields alone" | "by hand" | "a message, by protobuf-es";

/** Which way to take, and how often. */
export interface EncoderQuestion {
  readonly name: EncoderName;
  readonly count: number;
}

const source = {
  service: "account-service",
  instanceId: "0b9c3a3e-7d3e-4b0e-9c57-0d4b6f1a2c3d",
  maxContextBytes: 8_192,
  recorder: undefined,
};
const call = { method: AccountService.method.changePassword, header: new Headers() };
const mark = {
  kind: "marked",
  context: typicalContext(1),
  operation: "change_password",
  signature: "",
  hasSignature: false,
} as const;
const completion = { status: "OK", handlerStatus: "", inferred: false, at: 0 } as const;

function openEvent(): OpenEvent {
  const event = startEvent(source, call.method, call.header, mark, { kind: "believed" }, Date.now());
  completeEvent(event, completion, 1.234_567);
  return event;
}

/** The same event as a message. Fields are assigned one by one: `create` with an initial value takes three times as long. */
function messageOf(event: OpenEvent, sequence: bigint): SessionActivityEvent {
  const message = create(SessionActivityEventSchema);
  message.eventId = event.eventId;
  message.encodedSessionContext = event.encodedSessionContext;
  message.service = event.service;
  message.action = event.action;
  message.status = event.status;
  message.procedure = event.procedure;
  message.instanceId = event.instanceId;
  message.sequence = sequence;
  message.duration = create(DurationSchema);
  message.duration.nanos = Math.round((event.durationMs ?? 0) * 1e6);
  message.startedAt = create(TimestampSchema);
  message.startedAt.seconds = BigInt(Math.floor(event.startedAtMs / 1_000));
  message.startedAt.nanos = (event.startedAtMs % 1_000) * 1e6;
  message.completedAt = create(TimestampSchema);
  message.completedAt.seconds = message.startedAt.seconds;
  message.completedAt.nanos = message.startedAt.nanos + message.duration.nanos;
  return message;
}

const ways: Readonly<Record<EncoderName, () => number>> = {
  "the fields alone": () => openEvent().eventId.length,
  "by hand": () => encodeEvent(openEvent(), 1n).bytes.length,
  "a message, by protobuf-es": () => toBinary(SessionActivityEventSchema, messageOf(openEvent(), 1n)).length,
};

answerParent(({ name, count }: EncoderQuestion): ThreadCpu => {
  const way = ways[name];
  const before = threadsOf(process.pid);
  let bytes = 0;
  for (let event = 0; event < count; event++) bytes += way();
  if (bytes === 0) throw new Error("no event has a byte");
  return cpuBetween(process.pid, before, threadsOf(process.pid));
});
