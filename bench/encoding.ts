// What making the bytes of an event costs, by hand and by protobuf-es: `npm run bench:encoding`. With an older protobuf-es:
// `npm install --no-save --ignore-scripts @bufbuild/protobuf@2.7.0`, then the same command, then `npm run setup`.
//
// All threads are counted, so that the garbage collector's helpers are, too. Every way takes its turn in each round.
import { readFileSync } from "node:fs";
import { create, toBinary } from "@bufbuild/protobuf";
import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { type SessionActivityEvent, SessionActivityEventSchema } from "connect-session-activity";
import { AccountService } from "../gen/example/account/v1/account_pb.js";
import { completeEvent, type OpenEvent, startEvent } from "../src/service/event.js";
import { encodeEvent } from "../src/service/event-encoder.js";
import { median } from "./measure.js";

const eventsPerTurn = 20_000;
const rounds = 21;

const source = {
  service: "account-service",
  instanceId: "0b9c3a3e-7d3e-4b0e-9c57-0d4b6f1a2c3d",
  maxContextBytes: 8_192,
  recorder: undefined,
};
const call = { method: AccountService.method.changePassword, header: new Headers() };
const mark = {
  kind: "marked",
  context: "c2Vzc2lvbi".repeat(60),
  operation: "change_password",
  signature: "",
  hasSignature: false,
} as const;
const completion = { status: "OK", handlerStatus: "", inferred: false, at: 0 } as const;

function openEvent(): OpenEvent {
  const event = startEvent(source, call, mark, { kind: "believed" }, Date.now());
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

let sink = 0;
const ways: Readonly<Record<string, () => number>> = {
  "the fields alone": () => openEvent().eventId.length,
  "encoded by hand": () => encodeEvent(openEvent(), 1n).bytes.length,
  "made a message, encoded by protobuf-es": () =>
    toBinary(SessionActivityEventSchema, messageOf(openEvent(), 1n)).length,
};
const costs = new Map<string, number[]>(Object.keys(ways).map((name) => [name, []]));
for (let round = -2; round < rounds; round++) {
  for (const [name, way] of Object.entries(ways)) {
    const before = process.cpuUsage();
    for (let event = 0; event < eventsPerTurn; event++) sink += way();
    const { user, system } = process.cpuUsage(before);
    if (round >= 0) costs.get(name)?.push((user + system) / eventsPerTurn);
  }
}
const manifest = new URL("../../node_modules/@bufbuild/protobuf/package.json", import.meta.url);
const { version } = JSON.parse(readFileSync(manifest, "utf8")) as { version: string };
const without = median(costs.get("the fields alone") ?? []);
console.log(`protobuf-es ${version}, events of ${sink > 0 ? encodeEvent(openEvent(), 1n).bytes.length : 0} bytes`);
for (const [name, values] of costs) {
  const cost = median(values);
  console.log(
    `${name}: ${cost.toFixed(2)} us${name === "the fields alone" ? "" : `, ${(cost - without).toFixed(2)} more`}`,
  );
}
