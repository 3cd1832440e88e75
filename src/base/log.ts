import { Console } from "node:console";

/**
 * Receives what this package has to say. The shape fits pino and console.
 *
 * No message and no detail ever holds a session context.
 */
export interface Logger {
  debug(details: object, message: string): void;
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

/** How long one kind of trouble stays silent after it was reported. */
const silenceMs = 60_000;

/** Reports trouble: never throws, and no more than one line per kind of trouble per minute. */
export interface TroubleLog {
  info(details: object, message: string): void;
  warn(kind: string, details: object, message: string): void;
  error(kind: string, details: object, message: string): void;
}

/** Warnings and errors on stderr, a line each; the rest is dropped. */
const stderrLogger: Logger = {
  debug() {},
  info() {},
  warn: (details, message) => writeLine("warn", details, message),
  error: (details, message) => writeLine("error", details, message),
};

let stderr: Console | undefined;

function writeLine(level: string, details: object, message: string): void {
  // A stderr that nobody reads any more reports its error later, which would end the process: a Console ignores it.
  stderr ??= new Console({ stdout: process.stderr, ignoreErrors: true });
  stderr.log(`connect-session-activity ${level}: ${message} ${JSON.stringify(details)}`);
}

/**
 * Wraps the logger that a user gave. Undefined means warnings and errors on stderr, false means silence.
 *
 * A kind that comes back after its silence is reported together with the number of reports left out.
 */
export function createTroubleLog(logger: Logger | false | undefined): TroubleLog {
  if (logger === false) {
    return { info() {}, warn() {}, error() {} };
  }
  const target = logger ?? stderrLogger;
  const kinds = new Map<string, { reportedAt: number; suppressed: number }>();

  function report(level: "warn" | "error", kind: string, details: object, message: string): void {
    const now = performance.now();
    const seen = kinds.get(kind);
    if (seen !== undefined && now - seen.reportedAt < silenceMs) {
      seen.suppressed += 1;
      return;
    }
    kinds.set(kind, { reportedAt: now, suppressed: 0 });
    write(level, seen?.suppressed ? { ...details, suppressed: seen.suppressed } : details, message);
  }

  function write(level: "info" | "warn" | "error", details: object, message: string): void {
    // A broken logger must not break a call, and one that is async in spite of its type must not end the process.
    swallow(() => target[level](details, message));
  }

  return {
    info: (details, message) => write("info", details, message),
    warn: (kind, details, message) => report("warn", kind, details, message),
    error: (kind, details, message) => report("error", kind, details, message),
  };
}

/** Calls what must not do harm, whether it throws or its promise rejects. Answers whether it returned. */
export function swallow(callback: () => unknown, onRejected: () => void = () => {}): boolean {
  try {
    const result = callback();
    if (result instanceof Promise) result.catch(onRejected);
    return true;
  } catch {
    return false;
  }
}
