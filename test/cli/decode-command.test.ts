import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { SessionActivityRunSchema } from "../../gen/sessionactivity/v1/session_activity_run_pb.js";
import { encodeSessionContext, SessionActivityEventSchema } from "../../src/index.js";
import { frameOf } from "../../src/kafka/client/schema-frame.js";
import { runCommand } from "./run-command.js";

const encodedSessionContext = encodeSessionContext({ sessionId: "session-1", userId: "user-1" });
const event = Buffer.from(
  toBinary(
    SessionActivityEventSchema,
    create(SessionActivityEventSchema, {
      eventId: "event-1",
      status: "OK",
      startedAt: timestampFromMs(1),
      encodedSessionContext,
    }),
  ),
);
function eventWith(markSignature: string): Uint8Array {
  return toBinary(
    SessionActivityEventSchema,
    create(SessionActivityEventSchema, { eventId: "event-1", startedAt: timestampFromMs(1), markSignature }),
  );
}

const guid = "89791762-2336-4186-9674-299b90a802e2";

let file: string;
beforeEach(() => {
  const folder = mkdtempSync(join(tmpdir(), "decode-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  file = join(folder, "record");
});

describe("decode", () => {
  test.each<[string, Buffer | string, object]>([
    ["raw bytes", event, { encoding: "raw" }],
    ["base64", `${event.toString("base64")}\n`, { encoding: "base64" }],
    ["base64 for addresses", event.toString("base64url"), { encoding: "base64" }],
    ["base64 on several lines", event.toString("base64").replaceAll(/.{20}/g, "$&\r\n"), { encoding: "base64" }],
    ["hexadecimal digits", `0x${event.toString("hex")}`, { encoding: "hex" }],
    ["digits in pairs", event.toString("hex").toUpperCase().replaceAll(/../g, "$& "), { encoding: "hex" }],
    ["a frame", Buffer.concat([frameOf(42), event]), { frame: { schemaId: 42, in: "prefix", messageIndexes: [0] } }],
    [
      "a frame with a GUID",
      Buffer.concat([frameOf(guid), event]).toString("hex"),
      { encoding: "hex", frame: { schemaId: guid } },
    ],
  ])("takes an event as %s", async (_, content, expected) => {
    writeFileSync(file, content);
    const { exitCode, lines } = await runCommand("decode", file, "--json", "--reveal");
    expect(exitCode).toBe(0);
    expect(JSON.parse(lines.join(""))).toMatchObject({
      ...expected,
      event: { eventId: "event-1" },
      context: { userId: "user-1" },
    });
  });

  test("shows what a signature says of itself, escaped and cut, and that nobody checked it here", async () => {
    const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
    const header = part({ alg: "EdDSA", kid: "gateway\u001b[2J" });
    const signature = `${header}.${part({ aud: ["account", "b".repeat(1_000)], iat: 1_795_819_158, jti: "mark-1" })}.c2ln`;
    writeFileSync(file, eventWith(signature));
    const { stdout } = await runCommand("decode", file);
    expect(stdout).toMatch(
      /\nSignature, as the signature says; not checked here\n {2}key id \(kid\) {5}gateway\\u\{1b\}\[2J\n {2}audience \(aud\) {3}account, b{247}…\n {2}issued at \(iat\) {2}2026-11-27T\S+Z\n {2}id \(jti\) {9}mark-1\n/,
    );
    writeFileSync(file, eventWith("not a signature"));
    expect((await runCommand("decode", file)).stdout).toContain(
      "it cannot be read: it is not a signature of a gateway",
    );
    writeFileSync(file, event);
    expect((await runCommand("decode", file)).stdout).not.toContain("not checked here");
  });

  test("takes a session context, and masks it", async () => {
    writeFileSync(file, encodedSessionContext);
    const { stdout } = await runCommand("decode", file);
    expect(stdout).toMatch(
      /^Session context\n {2}session id {2}session-1\n {2}user id {5}masked-[\da-f]{8}\n\nBytes\n {2}length {4}/,
    );
    expect((await runCommand("decode", file, "--reveal")).stdout).toContain("user-1");
  });

  test.each(["", "no event", "00000000", "\u0000\u0000\u0000\u0000*\u0002\u0002"])(
    "says that %j is nothing of this",
    async (content) => {
      writeFileSync(file, content);
      const { exitCode, stdout, stderr } = await runCommand("decode", file);
      expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: "" });
      expect(stderr).toContain("not an event, a run record or a session context");
    },
  );

  test("takes a run record", async () => {
    const run = create(SessionActivityRunSchema, {
      instanceId: "instance-1",
      service: "account-service",
      state: "RUNNING",
      startedAt: timestampFromMs(1),
      at: timestampFromMs(2),
      lastSequence: 7n,
      losses: [{ sequence: 3n, reason: "queue_full" }],
      counts: { delivered: 6n, dropped: { queue_full: 1n } },
    });
    writeFileSync(file, toBinary(SessionActivityRunSchema, run));
    const { stdout } = await runCommand("decode", file);
    expect(stdout).toMatch(/^Run instance-1\n {2}state {10}RUNNING\n.*\n {2}declared lost {2}3 \(queue_full\)\n/s);
    const { lines } = await runCommand("decode", file, "--json");
    expect(JSON.parse(lines.join(""))).toMatchObject({ encoding: "raw", run: { state: "RUNNING", lastSequence: "7" } });
  });

  test("says that there is no such file", async () => {
    const { exitCode, stderr } = await runCommand("decode", `${file}-none`);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^session-activity decode: ENOENT/);
  });
});
