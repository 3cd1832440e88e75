import { create } from "@bufbuild/protobuf";
import { expect, it } from "vitest";
import { SessionActivityEventSchema } from "../../gen/sessionactivity/v1/session_activity_pb.js";
import { type CrashReport, countsOf, faultsOf } from "./crash-faults.js";

const event = (call: string, sequence: number, more: { interrupted?: boolean; eventId?: string } = {}) =>
  create(SessionActivityEventSchema, {
    eventId: `event-${call}`,
    instanceId: "run",
    sequence: BigInt(sequence),
    status: more.interrupted ? "" : "OK",
    encodedSessionContext: call,
    ...more,
  });

/** A run in which all is as it should be: `b` was interrupted, and `a` came twice. */
const sound: CrashReport = {
  sent: new Set(["a", "b", "c"]),
  carriedOut: new Set(["a", "b"]),
  answered: new Set(["a"]),
  events: [event("a", 1), event("a", 1), event("b", 2, { interrupted: true })],
  damaged: 0,
  kills: 1,
  killsWhileRecovering: 0,
};

it("finds no fault where there is none", () => {
  expect(faultsOf(countsOf(sound))).toEqual([]);
});

it.each<[string, Partial<CrashReport>]>([
  ["carriedOutWithoutEvent: 1", { carriedOut: new Set(["a", "b", "c"]) }],
  ["answeredWithoutEvent: 1", { answered: new Set(["a", "c"]) }],
  ["invented: 1", { events: [...sound.events, event("x", 3)] }],
  ["twins: 1", { events: [...sound.events, event("b", 3, { interrupted: true })] }],
  ["twins: 1", { events: [...sound.events, event("c", 2)] }],
  ["twins: 1", { events: [...sound.events, event("a", 3, { eventId: "other" })] }],
  ["damaged: 1", { damaged: 1 }],
  [
    "no call was interrupted, so the run proves nothing",
    { events: sound.events.slice(0, 2), carriedOut: new Set(["a"]) },
  ],
  ["no event was replayed, so the run proves nothing", { events: sound.events.slice(1) }],
])("finds %s", (fault, changes) => {
  expect(faultsOf(countsOf({ ...sound, ...changes }))).toEqual([fault]);
});
