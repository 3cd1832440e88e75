// The commands of docs/terminal.md, and its pictures: what the program prints on an embedded Kafka. After a change of what it
// prints, `npm run docs:terminal` draws them anew.
import { readFileSync, writeFileSync } from "node:fs";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { durationFromMs, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { encodeSessionContext, SessionActivityEventSchema } from "../../src/index.js";
import { type EmbeddedKafka, startEmbeddedKafka } from "../../src/kafka/embedded.js";
import { runCommand } from "../cli/run-command.js";
import { write } from "../kafka/consumer/consumer-fixtures.js";
import { at, commandsOf, shellBlock } from "./pages.js";
import { terminalSvg } from "./terminal-svg.js";

let kafka: EmbeddedKafka;
beforeAll(async () => {
  kafka = await startEmbeddedKafka();
  const records = calls.map((call, index) => ({
    partition: 0,
    value: toBinary(SessionActivityEventSchema, create(SessionActivityEventSchema, eventOf(call, index))),
  }));
  await write(kafka.brokers, "session-activities", records);
});
afterAll(() => kafka.close());
beforeEach(() => {
  vi.stubEnv("SESSION_TRACKING_KAFKA_BROKERS", kafka.brokers);
  vi.stubEnv("FORCE_COLOR", undefined);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

/** What happened: somebody guesses a password, and then changes it. */
const calls = [
  ["login", "UNAUTHENTICATED", 38, false],
  ["login", "UNAUTHENTICATED", 41, false],
  ["login", "OK", 44, true],
  ["change_password", "PERMISSION_DENIED", 6, true],
  ["change_password", "DEADLINE_EXCEEDED", 2_000, true],
  ["change_password", "OK", 112, true],
] as const;

function eventOf(
  [action, status, took, contextVerified]: (typeof calls)[number],
  index: number,
): MessageInitShape<typeof SessionActivityEventSchema> {
  const startedMs = Date.parse("2026-11-27T10:00:00Z") + index * 7_310;
  return {
    eventId: `event-${12 + index}`,
    service: "account-service",
    action,
    procedure: `/acme.account.v1.AccountService/${action === "login" ? "Login" : "ChangePassword"}`,
    status,
    statusInferred: status === "DEADLINE_EXCEEDED",
    contextVerified,
    contextProblem: contextVerified ? "" : "signature_missing",
    startedAt: timestampFromMs(startedMs),
    completedAt: timestampFromMs(startedMs + took),
    duration: durationFromMs(took),
    instanceId: "5b0c1c1e-7c57-4d0e-9f0e-3a4b6f0d2c11",
    sequence: BigInt(40 + index),
    attributes: action === "login" ? {} : { reason: "forgotten", "notify.email": "ann@example.org" },
    encodedSessionContext: encodeSessionContext({
      sessionId: "session-4711",
      userId: "user-7",
      deviceId: "device-3",
      clientIp: index < 2 ? "203.0.113.7" : "198.51.100.20",
      userAgent: "Mozilla/5.0",
      country: index < 2 ? "NL" : "DE",
      authMethod: "password",
    }),
  };
}

describe("the commands of docs/terminal.md", { timeout: 60_000 }, () => {
  const commands = commandsOf(shellBlock("docs/terminal.md", "session-activity"));

  it.each(commands.map(({ args }) => args))("session-activity %s %s %s", async (...args) => {
    const { exitCode, stdout, stderr } = await runCommand(...args);
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
    expect(stdout).not.toBe("");
  });
});

/** What differs from run to run, as it could be. The same mask stays the same. */
function withoutChance(output: string): string {
  const masks = new Map<string, string>();
  const stable = (mask: string): string => {
    const known =
      masks.get(mask) ?? `masked-${((masks.size + 1) * 0x2f6b_9d31).toString(16).slice(-8).padStart(8, "0")}`;
    masks.set(mask, known);
    return known;
  };
  return output
    .replaceAll(/masked-[\da-f]{8}/g, stable)
    .replaceAll(kafka.brokers, "kafka:9092")
    .replaceAll(/(written.*?)\d{4}-\d\d-\d\dT[\d:.]+Z/g, "$12026-11-27T10:00:36.664Z")
    .replaceAll(/librdkafka \S+ on Node \S+/g, "librdkafka 2.15.1 on Node 24.0.0");
}

describe("the picture of", { timeout: 60_000 }, () => {
  it.each([
    ["tail", ["tail", "--since", "1h"], ["--until", "0s"]],
    ["show", ["show", "event-17"], []],
    ["doctor", ["doctor"], []],
  ])("%s shows what it prints", async (name, args, hidden) => {
    vi.stubEnv("FORCE_COLOR", "1");
    const { stdout } = await runCommand(...args, ...hidden);
    const svg = terminalSvg(["session-activity", ...args].join(" "), withoutChance(stdout));
    const file = at(`docs/images/terminal-${name}.svg`);
    if (process.env["WRITE_SCREENSHOTS"] !== undefined) writeFileSync(file, svg);
    expect(svg).toBe(readFileSync(file, "utf8"));
  });
});
