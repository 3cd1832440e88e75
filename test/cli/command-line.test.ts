import { EventEmitter } from "node:events";
import { PassThrough } from "node:stream";
import { WriteStream } from "node:tty";
import { afterEach, describe, expect, test, vi } from "vitest";
import { parseArguments, readAction } from "../../src/cli/arguments.js";
import { helpOf } from "../../src/cli/command.js";
import { commands } from "../../src/cli/command-line.js";
import { exitCodes } from "../../src/cli/exit-codes.js";
import { openTerminal } from "../../src/cli/terminal.js";
import { commandsOf } from "../docs/pages.js";
import { refusalOf } from "../support/refusal.js";

afterEach(() => {
  vi.unstubAllEnvs();
});

const named = commands.map((command) => [command.name, command] as const);

describe.each(named)("the help of %s", (name, command) => {
  test("says what it does, how to type it, by examples too, and how it ends", () => {
    const help = helpOf(command);
    expect(help).toMatch(new RegExp(`^Usage: session-activity ${name} `));
    for (const part of ["\n\nOptions:\n", "\n\nExamples:\n  # ", "\n\nExit codes:\n  0 "]) expect(help).toContain(part);
    expect(help.match(/^ {2}(0|1|2) /gm)).toHaveLength(3);
    for (const { name: option, meaning } of command.help.options) {
      expect(help.split("\n").filter((line) => line.startsWith(`  ${option}`))).toContainEqual(
        expect.stringContaining(meaning.replaceAll("`", "")),
      );
    }
  });

  test("has examples that the command takes", () => {
    expect(command.help.examples.length).toBeGreaterThan(0);
    for (const { line } of command.help.examples) {
      const { env, args } = commandsOf({ code: line.split(" | ")[0]! })[0]!;
      for (const [variable, value] of Object.entries(env)) vi.stubEnv(variable, value);
      expect(args[0]).toBe(name);
      expect(command.prepare(args.slice(1))).toBeTypeOf("function");
    }
  });
});

describe("arguments", () => {
  const options = [
    { name: "--topic", value: "TOPIC", meaning: "", byDefault: "" },
    { name: "--verified", meaning: "", byDefault: "", isEither: true },
    { name: "--all", meaning: "", byDefault: "" },
  ] as const;

  test("may stand before, between and after words", () => {
    const { given, words } = parseArguments(["one", "--topic", "t", "--verified", "two", "--", "--all"], options, 3);
    expect([...given]).toEqual([
      ["--topic", "t"],
      ["--verified", true],
    ]);
    expect(words).toEqual(["one", "two", "--all"]);
  });

  test("may say the opposite", () => {
    expect([...parseArguments(["--verified=false"], options).given]).toEqual([["--verified", false]]);
    expect([...parseArguments(["--verified=true"], options).given]).toEqual([["--verified", true]]);
  });

  test.each([
    [["word"], 0, "arguments must be options only, got a word that belongs to no option; --help lists them"],
    [["a", "b"], 1, "arguments must be options and one word, got more words"],
    [["--verified=no"], 0, "--verified must be given alone, or as =true or =false, got another value"],
    [["--all=true"], 0, "--all must be given without a value, got one"],
    [["--topik", "t"], 0, "--topik is unknown, did you mean --topic?"],
    [["--topic"], 0, "--topic must be given with a value, TOPIC, got none"],
    [["--all", "--all"], 0, "--all must be given once, got it twice"],
  ])("%j with %i words is refused", (args, words, message) => {
    expect(refusalOf(() => parseArguments(args, options, words)).message).toBe(message);
  });

  test("name an action that there is", () => {
    expect(readAction("keys", "show", ["create", "show"])).toBe("show");
    expect(refusalOf(() => readAction("keys", undefined, ["create", "show"])).message).toBe(
      "the word after keys must be create or show, got none",
    );
  });
});

describe("a terminal", () => {
  function terminalOf(isTTY: boolean) {
    const stdout = Object.assign(new PassThrough({ highWaterMark: 16 }), {
      isTTY,
      getColorDepth: WriteStream.prototype.getColorDepth,
    });
    const stderr = Object.assign(new PassThrough(), { isTTY });
    const signals = new EventEmitter();
    return { stdout, stderr, signals, terminal: openTerminal({ stdout, stderr, signals }) };
  }

  test("waits for whoever reads, and no longer when it is told to end", async () => {
    const { terminal, signals } = terminalOf(false);
    const writing = terminal.write("more than sixteen bytes\n");
    let done = false;
    void writing.then(() => (done = true));
    await new Promise(setImmediate);
    expect(done).toBe(false);
    signals.emit("SIGINT");
    await writing;
    expect(terminal.endReason()).toBe("SIGINT");
    expect(terminal.ending.aborted).toBe(true);
  });

  test("ends quietly when nobody reads any more", async () => {
    const { terminal, stdout } = terminalOf(false);
    stdout.emit("error", Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
    expect(terminal.endReason()).toBe("pipe");
    await expect(terminal.close()).resolves.toBeUndefined();
  });

  test("says that a disk is full", async () => {
    const { terminal, stdout } = terminalOf(false);
    stdout.emit("error", Object.assign(new Error("write ENOSPC"), { code: "ENOSPC" }));
    expect(terminal.ending.aborted).toBe(true);
    await expect(terminal.close()).rejects.toThrow("stdout cannot be written to: write ENOSPC");
  });

  test("shows progress in place, and nothing of it elsewhere", () => {
    const shown = terminalOf(true);
    shown.terminal.progress("1 of 2");
    shown.terminal.note("\u001b[2Jdone");
    expect(String(shown.stderr.read())).toBe("\r\u001b[2K1 of 2\n\\u{1b}[2Jdone\n");
    const piped = terminalOf(false);
    piped.terminal.progress("1 of 2");
    expect(piped.stderr.read()).toBeNull();
  });

  test("has colours only if they are shown", () => {
    vi.stubEnv("FORCE_COLOR", undefined);
    vi.stubEnv("NO_COLOR", undefined);
    expect(terminalOf(false).terminal.paint("bad", "text")).toBe("text");
    vi.stubEnv("FORCE_COLOR", "1");
    expect(terminalOf(false).terminal.paint("bad", "text")).toBe("\u001b[31mtext\u001b[39m");
    vi.stubEnv("FORCE_COLOR", undefined);
    vi.stubEnv("NO_COLOR", "1");
    expect(terminalOf(true).terminal.paint("bad", "text")).toBe("text");
  });

  test("leaves signals to the process when it is closed", async () => {
    const { terminal, signals } = terminalOf(false);
    expect(signals.listenerCount("SIGINT")).toBe(1);
    await terminal.close();
    expect(signals.listenerCount("SIGINT") + signals.listenerCount("SIGTERM")).toBe(0);
  });
});

test("exit codes differ", () => {
  expect(new Set(Object.values(exitCodes)).size).toBe(Object.keys(exitCodes).length);
});
