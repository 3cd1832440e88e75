import { errorCode } from "../base/errors.js";
import { withFailure } from "../base/failure.js";
import type { SignalDatabase } from "./database.js";

/** A row of an answer. What clients make of a bigint differs: a string, a number or a bigint. */
export type Row = Readonly<Record<string, unknown>>;

/** Asks a history's database. */
export type Ask = (text: string, values: unknown[]) => Promise<Row[]>;

/** What PostgreSQL says if a schema, a table, a column or a function is missing. */
const missingCodes: ReadonlySet<unknown> = new Set(["3F000", "42P01", "42703", "42883"]);

/** Creates what asks the database. If the schema has no history in it, the error says what to do. */
export function createAsk(database: SignalDatabase, schema: string): Ask {
  return async (text, values) => {
    try {
      return (await database.query(text, values)).rows.filter(isRow);
    } catch (cause) {
      // PGlite hangs on its errors what was to be recorded: whoever logs one would log a session.
      if (isRow(cause)) Reflect.deleteProperty(cause, "params");
      if (!missingCodes.has(errorCode(cause))) throw cause;
      const advice = `the schema ${schema} has no signal history, or an older one: call migrate()`;
      throw withFailure(new Error(advice, { cause }), "permanent");
    }
  };
}

function isRow(value: unknown): value is Row {
  return typeof value === "object" && value !== null;
}
