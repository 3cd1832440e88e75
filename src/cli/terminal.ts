import { once } from "node:events";
import type { Writable } from "node:stream";
import { styleText } from "node:util";
import { errorCode, isError } from "../base/errors.js";
import { printable } from "../base/text.js";

/** Why a command is to end: a process signal, or nobody reads what it prints any more. */
export type EndReason = "SIGINT" | "SIGTERM" | "pipe";

/** The kinds of text that have a colour on a terminal. */
export type Tone = "good" | "bad" | "warn" | "faint" | "strong";

const tones = {
  good: "green",
  bad: "red",
  warn: "yellow",
  faint: "dim",
  strong: "bold",
} as const satisfies Record<Tone, Parameters<typeof styleText>[0]>;

/** Where a command prints, and by what it learns that it is to end. */
export interface Terminal {
  /** Aborts when the command is to end. */
  readonly ending: AbortSignal;
  /** Why it is to end. Undefined until then. */
  endReason(): EndReason | undefined;
  /** Writes to stdout. Resolves when there is room for more, or when the command is to end. */
  write(text: string): Promise<void>;
  /** Writes a line to stderr, for people. What came from elsewhere in it is made printable. */
  note(line: string): void;
  /** Writes over the last such line, if stderr is a terminal. Elsewhere it writes nothing. */
  progress(line: string): void;
  /** Gives a text a colour, if stdout is a terminal that shows colours, and NO_COLOR does not say no. */
  paint(tone: Tone, text: string): string;
  /** Stops listening. Rejects if stdout took less than was written, as a disk does that is full. */
  close(): Promise<void>;
}

/** What a terminal is made of. By default, the process. */
export interface TerminalParts {
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable & { readonly isTTY?: boolean };
  readonly signals: SignalSource;
}

/** What tells that the process is to end. */
interface SignalSource {
  once(signal: "SIGINT" | "SIGTERM", listener: () => void): unknown;
  removeListener(signal: "SIGINT" | "SIGTERM", listener: () => void): unknown;
}

/** Opens the process's terminal. The first SIGINT or SIGTERM asks a command to end; the second ends the process. */
export function openTerminal({ stdout, stderr, signals }: TerminalParts = processParts()): Terminal {
  const controller = new AbortController();
  let reason: EndReason | undefined;
  let failure: Error | undefined;
  let isInPlace = false;

  function end(why: EndReason): void {
    reason ??= why;
    controller.abort();
  }
  function failed(error: unknown): void {
    // Whoever read has seen enough, as `head` has after ten lines.
    if (errorCode(error) !== "EPIPE") failure ??= isError(error) ? error : new Error(String(error));
    end("pipe");
  }
  const interrupt = (): void => end("SIGINT");
  const terminate = (): void => end("SIGTERM");
  signals.once("SIGINT", interrupt);
  signals.once("SIGTERM", terminate);
  stdout.on("error", failed);
  // Nobody has to read what is for people.
  stderr.on("error", ignore);

  function note(line: string): void {
    stderr.write(`${isInPlace ? "\n" : ""}${line}\n`);
    isInPlace = false;
  }

  return {
    ending: controller.signal,
    endReason: () => reason,
    note: (line) => note(printable(line)),
    progress(line) {
      if (stderr.isTTY !== true) return;
      stderr.write(`\r${eraseLine}${printable(line)}`);
      isInPlace = true;
    },
    async write(text) {
      if (isInPlace) stderr.write(`\r${eraseLine}`);
      isInPlace = false;
      if (controller.signal.aborted || stdout.write(text)) return;
      // Aborted: there will be no more.
      await once(stdout, "drain", { signal: controller.signal }).catch(ignore);
    },
    paint: (tone, text) => styleText(tones[tone], text, { stream: stdout }),
    async close() {
      if (isInPlace) stderr.write("\n");
      signals.removeListener("SIGINT", interrupt);
      signals.removeListener("SIGTERM", terminate);
      if (failure !== undefined) throw new Error(`stdout cannot be written to: ${failure.message}`, { cause: failure });
    },
  };
}

/** Removes what is on the line of the cursor. It is the only thing that is written beside text and colours. */
const eraseLine = "\u001b[2K";

function processParts(): TerminalParts {
  const signals: SignalSource = {
    once: (signal, listener) => process.once(signal, listener),
    removeListener: (signal, listener) => process.removeListener(signal, listener),
  };
  return { stdout: process.stdout, stderr: process.stderr, signals };
}

function ignore(): void {}
