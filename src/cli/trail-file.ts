import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { type DescMessage, fromJson, type JsonObject, type MessageShape } from "@bufbuild/protobuf";
import {
  type SessionActivityEvent,
  SessionActivityEventSchema,
} from "../../gen/sessionactivity/v1/session_activity_pb.js";
import {
  type SessionActivityRun,
  SessionActivityRunSchema,
} from "../../gen/sessionactivity/v1/session_activity_run_pb.js";
import { isOptions } from "../base/options.js";

/** What a line of a file holds. */
export type TrailLine =
  | { readonly kind: "record"; readonly record: SessionActivityEvent | SessionActivityRun }
  | { readonly kind: "unreadable" };

/**
 * Reads a file of JSON Lines: each is an event or a run record in protobuf's JSON, by itself, or as `event` or `run` beside what
 * is known of its Kafka record. Empty lines do not count. Rejects if the file cannot be read.
 */
export async function* readTrailFile(path: string): AsyncGenerator<TrailLine, void, void> {
  const input = createReadStream(path);
  // The interface does not pass on the errors of its input.
  const failed = new Promise<never>((_, reject) => void input.once("error", reject));
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })[Symbol.asyncIterator]();
  try {
    for (;;) {
      const { done, value } = await Promise.race([lines.next(), failed]);
      if (done) return;
      if (value.trim() !== "") yield readTrailLine(value);
    }
  } finally {
    input.destroy();
  }
}

/** Reads one line. */
export function readTrailLine(line: string): TrailLine {
  try {
    const given: unknown = JSON.parse(line);
    const record = isOptions(given) ? recordOf(given) : undefined;
    return record === undefined ? { kind: "unreadable" } : { kind: "record", record };
  } catch {
    return { kind: "unreadable" };
  }
}

function recordOf(line: Readonly<Record<string, unknown>>): SessionActivityEvent | SessionActivityRun | undefined {
  const { event, run } = line;
  if (isOptions(event)) return decoded(SessionActivityEventSchema, event);
  if (isOptions(run)) return decoded(SessionActivityRunSchema, run);
  if ("eventId" in line) return decoded(SessionActivityEventSchema, line);
  return "state" in line ? decoded(SessionActivityRunSchema, line) : undefined;
}

function decoded<Schema extends DescMessage>(schema: Schema, json: object): MessageShape<Schema> {
  // It comes from JSON.parse.
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion
  return fromJson(schema, json as JsonObject, { ignoreUnknownFields: true });
}
