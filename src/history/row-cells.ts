// What stands in the rows of an answer. Columns are texts or null, for clients differ in all else; in JSON, flags are booleans.
import type { Row } from "./statement.js";

/** What of an activity stands in the row of a change, and in its own, under the same names. */
export interface ActivityCells {
  readonly eventId: string;
  readonly sessionId: string;
  readonly service: string;
  readonly action: string;
  readonly procedure: string;
  readonly status: string;
  readonly statusInferred: boolean;
  readonly verified: boolean;
}

export function activityCells(row: Row): ActivityCells {
  return {
    eventId: cellOf(row, "event_id"),
    sessionId: cellOf(row, "session_id"),
    service: cellOf(row, "service"),
    action: cellOf(row, "action"),
    procedure: cellOf(row, "procedure"),
    status: cellOf(row, "status"),
    statusInferred: cellOf(row, "status_inferred") === "true",
    verified: cellOf(row, "verified") === "true",
  };
}

/** A cell that has a value. */
export function cellOf(row: Row, column: string): string {
  return String(row[column]);
}

/** A cell that may be null. */
export function optionalCell(row: Row, column: string): string | undefined {
  const value = row[column];
  return typeof value === "string" ? value : undefined;
}

/** Milliseconds since 1970, of microseconds. */
export function msOf(micros: string): number {
  return Math.floor(Number(micros) / 1_000);
}
