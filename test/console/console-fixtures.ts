import { request } from "node:http";
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { onTestFinished } from "vitest";
import { type SessionConsole, startConsole } from "../../src/console/console.js";
import type { ConsoleOptions } from "../../src/console/console-options.js";
import {
  createSignalHistory,
  openSignalDatabase,
  type SignalDatabase,
  type SignalHistory,
} from "../../src/history/index.js";
import { encodeSessionContext, type SessionActivityEvent, SessionActivityEventSchema } from "../../src/index.js";
import { type EmbeddedKafka, startEmbeddedKafka } from "../../src/kafka/embedded.js";
import { write } from "../kafka/consumer/consumer-fixtures.js";

/** What a test says of a call. */
export interface Call {
  readonly id: string;
  readonly at?: number;
  readonly action?: string;
  readonly status?: string;
  readonly session?: string;
  readonly user?: string;
  readonly country?: string;
  readonly device?: string;
  readonly verified?: boolean;
  readonly problem?: string;
  readonly signature?: string;
  readonly inferred?: boolean;
  readonly instance?: string;
  readonly sequence?: number;
  readonly service?: string;
}

/** The event of a call. */
export function callEvent(call: Call): SessionActivityEvent {
  const at = call.at ?? Date.now();
  return create(SessionActivityEventSchema, {
    eventId: call.id,
    service: call.service ?? "account-service",
    action: call.action ?? "login",
    procedure: "/example.account.v1.AccountService/Login",
    status: call.status ?? "OK",
    startedAt: timestampFromMs(at),
    completedAt: timestampFromMs(at + 5),
    encodedSessionContext: encodeSessionContext({
      sessionId: call.session ?? "session-1",
      userId: call.user ?? "ada@example.com",
      country: call.country ?? "DE",
      deviceId: call.device ?? "phone-7",
    }),
    contextVerified: call.verified ?? true,
    contextProblem: call.problem ?? "",
    markSignature: call.signature ?? "",
    statusInferred: call.inferred ?? false,
    instanceId: call.instance ?? "",
    sequence: BigInt(call.sequence ?? 0),
  });
}

/** A broker, a history and a console, until the test is over. */
export interface ConsoleRig {
  readonly kafka: EmbeddedKafka;
  readonly database: SignalDatabase;
  readonly history: SignalHistory;
  readonly console: SessionConsole;
  readonly origin: string;
  publish(events: readonly SessionActivityEvent[]): Promise<void>;
}

function openTestDatabase(): SignalDatabase {
  const database = openSignalDatabase({ env: false });
  onTestFinished(() => database.close());
  return database;
}

/** Starts what a console needs, and the console. */
export async function startRig(options: ConsoleOptions = {}): Promise<ConsoleRig> {
  const kafka = await startEmbeddedKafka({ topics: ["session-activities", "session-activity-runs"] });
  onTestFinished(() => kafka.close());
  const database = options.database ?? openTestDatabase();
  const history = createSignalHistory({ database, keepAll: true, env: false, log: false });
  await history.migrate();
  const console = await startConsole({
    brokers: kafka.brokers,
    database,
    properties: { "fetch.wait.max.ms": 10 },
    env: false,
    log: false,
    ...options,
  });
  onTestFinished(() => console.close());
  return {
    kafka,
    database,
    history,
    console,
    origin: `http://127.0.0.1:${console.port}`,
    publish: (events) =>
      write(
        kafka.brokers,
        "session-activities",
        events.map((event) => ({ value: toBinary(SessionActivityEventSchema, event) })),
      ),
  };
}

/** What came back. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** What is asked, with headers that `fetch` would not let through. */
export interface Question {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Asks a console. The answer of a stream is its first part. */
export function ask(port: number, { path, method = "GET", headers = {} }: Question): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, path, method, headers }, (response) => {
      let body = "";
      const done = (): void => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body });
        response.destroy();
      };
      response.on("data", (chunk: Buffer) => {
        body += chunk.toString();
        if (response.headers["content-type"]?.startsWith("text/event-stream") && body.includes("\n\n")) done();
      });
      response.on("end", done);
    });
    sent.on("error", reject);
    sent.end();
  });
}

/** Opens the printed address, and answers with the cookie. */
export async function enter({ address, port }: SessionConsole): Promise<string> {
  const { pathname, search } = new URL(address);
  const { headers } = await ask(port, { path: pathname + search });
  return String(headers["set-cookie"]).split(";")[0] ?? "";
}
