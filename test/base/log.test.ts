import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { createLineLogger, createTroubleLog } from "../../src/base/log.js";

function recorder() {
  const lines: { level: string; details: object; message: string }[] = [];
  const at = (level: string) => (details: object, message: string) => void lines.push({ level, details, message });
  return { lines, logger: { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") } };
}

// Only the clock of the silence is not real: a minute is too long for a test.
beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => void vi.useRealTimers());

it("reports each kind of trouble once a minute, with the number of reports left out", () => {
  const { lines, logger } = recorder();
  const log = createTroubleLog(logger);
  log.warn("full", { reason: "queue" }, "dropped");
  log.warn("full", { reason: "queue" }, "dropped");
  log.warn("other", {}, "something else");
  log.error("full", {}, "dropped");
  expect(lines.map(({ message }) => message)).toEqual(["dropped", "something else"]);
  vi.advanceTimersByTime(60_001);
  log.warn("full", { reason: "queue" }, "dropped");
  expect(lines.at(-1)).toEqual({
    level: "warn",
    details: { kind: "full", reason: "queue", suppressed: 2 },
    message: "dropped",
  });
});

it("survives a logger that throws", () => {
  const log = createTroubleLog({
    ...recorder().logger,
    warn() {
      throw new Error("disk full");
    },
  });
  expect(() => log.warn("kind", {}, "text")).not.toThrow();
});

it("writes warnings and errors to stderr by default, a line each, and nothing else", () => {
  const write = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const log = createTroubleLog(undefined);
  log.info({}, "quiet");
  log.warn("no_brokers", { service: "x" }, "first");
  log.error("b", {}, "second");
  expect(write.mock.calls.map(([line]) => line)).toEqual([
    'connect-session-activity warn no_brokers: first {"service":"x"}\n',
    "connect-session-activity error b: second {}\n",
  ]);
  write.mockRestore();
});

it("writes a line of each level that a command line asks for, without a kind if there is none", () => {
  const write = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const logger = createLineLogger(["info", "warn", "error"]);
  logger.debug({}, "quiet");
  logger.info({ port: 1 }, "Started");
  createTroubleLog(logger).error("full", {}, "dropped");
  expect(write.mock.calls.map(([line]) => line)).toEqual([
    'connect-session-activity info: Started {"port":1}\n',
    "connect-session-activity error full: dropped {}\n",
  ]);
  write.mockRestore();
});

it("is silent when told so", () => {
  const write = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const log = createTroubleLog(false);
  log.warn("a", {}, "text");
  log.error("b", {}, "text");
  expect(write).not.toHaveBeenCalled();
  write.mockRestore();
});
