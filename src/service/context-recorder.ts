import type { TroubleLog } from "../base/log.js";
import type { ServiceTrouble } from "./service-troubles.js";

/** Gives what events record in place of session contexts. */
export interface ContextRecorder {
  /** Contexts that could not be replaced. */
  readonly failures: number;
  /**
   * What the event of this procedure records. Empty if `recordContext` fails: then nothing is recorded, since the original is
   * what the service wants to keep out. Never throws.
   */
  record(context: string, procedure: string): string;
}

/** Creates the recorder for a service's `recordContext`, whose results may have so many bytes. */
export function createContextRecorder(
  recordContext: (context: string) => string,
  maxBytes: number,
  log: TroubleLog<ServiceTrouble>,
): ContextRecorder {
  let failures = 0;
  return {
    get failures() {
      return failures;
    },
    record(context, procedure) {
      const result = replace(context, recordContext, maxBytes);
      if (result.kind === "replaced") return result.context;
      failures += 1;
      log.warn("record_context", { procedure }, "recordContext failed: an event has no session context");
      return "";
    },
  };
}

type Replacement = { readonly kind: "replaced"; readonly context: string } | { readonly kind: "failed" };

const failed: Replacement = { kind: "failed" };

function replace(context: string, recordContext: (context: string) => unknown, maxBytes: number): Replacement {
  try {
    const given = recordContext(context);
    if (typeof given === "string") {
      return Buffer.byteLength(given) <= maxBytes ? { kind: "replaced", context: given } : failed;
    }
    // It is async in spite of its type: its rejection must not end the process.
    if (given instanceof Promise) given.catch(() => {});
  } catch {
    // The error could quote the context.
  }
  return failed;
}
