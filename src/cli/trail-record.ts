import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import {
  type SessionActivityEvent,
  SessionActivityEventSchema,
} from "../../gen/sessionactivity/v1/session_activity_pb.js";
import {
  type SessionActivityRun,
  SessionActivityRunSchema,
} from "../../gen/sessionactivity/v1/session_activity_run_pb.js";
import type { NativeMessage } from "../kafka/client/kafka-client.js";
import { unframe } from "../kafka/client/schema-frame.js";
import { recordOf } from "../kafka/consumer/consumed-record.js";

/** The event that a message of the topic of events holds. Undefined if its bytes are none. */
export function decodedEvent(message: NativeMessage): SessionActivityEvent | undefined {
  return decoded(SessionActivityEventSchema, message);
}

/** The run record that a message of the topic of run records holds. Undefined if its bytes are none. */
export function decodedRun(message: NativeMessage): SessionActivityRun | undefined {
  return decoded(SessionActivityRunSchema, message);
}

function decoded<Schema extends DescMessage>(schema: Schema, message: NativeMessage): MessageShape<Schema> | undefined {
  const { value, headers } = recordOf(message);
  try {
    return value && fromBinary(schema, unframe(value, headers).payload);
  } catch {
    return undefined;
  }
}
