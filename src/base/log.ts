import { Console } from "node:console";

/**
 * Receives what this package has to say. The shape fits pino and console. The details of a warning and of an error hold the
 * kind of trouble: `{ kind: "no_brokers", … }`.
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

/** Reports trouble: never throws, and no more than one line per kind of trouble per minute. A kind is words in snake_case. */
export interface TroubleLog<Kind extends string = string> {
  readonly info: (details: object, message: string) => void;
  readonly warn: (kind: Kind, details: object, message: string) => void;
  readonly error: (kind: Kind, details: object, message: string) => void;
}

/** A logger that writes lines of these levels to stderr, and drops the rest: `connect-session-activity warn kind: text {…}`. */
export function createLineLogger(levels: readonly ("info" | "warn" | "error")[]): Logger {
  let stderr: Console | undefined;

  function write(level: "info" | "warn" | "error", details: object, message: string): void {
    if (!levels.includes(level)) return;
    // A stderr that nobody reads any more reports its error later, which would end the process: a Console ignores it.
    stderr ??= new Console({ stdout: process.stderr, ignoreErrors: true });
    const { kind, ...rest }: { readonly kind?: string } = { ...details };
    const title = kind === undefined ? level : `${level} ${kind}`;
    stderr.log(`connect-session-activity ${title}: ${message} ${JSON.stringify(rest)}`);
  }

  return {
    debug() {},
    info: (details, message) => write("info", details, message),
    warn: (details, message) => write("warn", details, message),
    error: (details, message) => write("error", details, message),
  };
}

const defaultLogger: Logger = createLineLogger(["warn", "error"]);

/**
 * Wraps the logger that a user gave. Undefined means warnings and errors on stderr, false means silence.
 *
 * A kind that comes back after its silence is reported together with the number of reports left out.
 */
export function createTroubleLog<Kind extends string = string>(logger: Logger | false | undefined): TroubleLog<Kind> {
  if (logger === false) {
    return { info() {}, warn() {}, error() {} };
  }
  const target = logger ?? defaultLogger;
  const kinds = new Map<string, { reportedAt: number; suppressed: number }>();

  function report(level: "warn" | "error", kind: string, details: object, message: string): void {
    const now = performance.now();
    const seen = kinds.get(kind);
    if (seen !== undefined && now - seen.reportedAt < silenceMs) {
      seen.suppressed += 1;
      return;
    }
    kinds.set(kind, { reportedAt: now, suppressed: 0 });
    write(level, { kind, ...details, ...(seen?.suppressed ? { suppressed: seen.suppressed } : {}) }, message);
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
