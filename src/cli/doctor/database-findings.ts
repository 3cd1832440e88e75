import { errorCode } from "../../base/errors.js";
import { isOptions } from "../../base/options.js";
import type { DatabaseSettings } from "../../history/database.js";
import { openSignalDatabase, type SignalDatabase } from "../../history/index.js";
import { schemaVersion } from "../../history/schema.js";
import { describeRefusal } from "../database-refusal.js";
import { closeDatabase } from "../history-worker.js";
import { bad, type Finding, good, unchecked, warning } from "./finding.js";

/** Where the history is. */
export interface DatabaseUnderTest {
  readonly address: DatabaseSettings;
  readonly schema: string;
}

/** Looks at the database of the history: can it be reached, is its schema there, and what does its clock say? */
export async function* findDatabase({ address, schema }: DatabaseUnderTest): AsyncGenerator<Finding, void, void> {
  if (address.url === undefined) {
    yield unchecked(
      "Database",
      "no database is named",
      "give --database, or SESSION_HISTORY_DATABASE, as the history worker has it",
    );
    return;
  }
  const database = openSignalDatabase({ ...address, env: false });
  try {
    const askedMs = Date.now();
    const [row] = await rowsOf(
      database,
      "select current_setting('server_version') as version, extract(epoch from clock_timestamp()) * 1000 as now_ms",
    );
    const answeredMs = Date.now();
    yield good("Database", `PostgreSQL ${String(row?.["version"])} answers`);
    yield findingOfClock(Number(row?.["now_ms"]), askedMs, answeredMs);
    yield await findSchema(database, schema);
  } catch (error) {
    yield bad("Database", describeRefusal(error), adviceFor(errorCode(error)));
  } finally {
    await closeDatabase(database);
  }
}

function adviceFor(code: string | undefined): string {
  if (code === "EBUSY")
    return "stop the worker that has the folder open, and look again: an embedded database has one process";
  return "check the address, whether the database runs, and the way to it";
}

/** How far clocks may be apart. */
const clockSlackMs = 1_000;

function findingOfClock(nowMs: number, askedMs: number, answeredMs: number): Finding {
  const offMs = nowMs < askedMs ? nowMs - askedMs : Math.max(0, nowMs - answeredMs);
  const seconds = (Math.abs(offMs) / 1_000).toFixed(1);
  if (Math.abs(offMs) <= clockSlackMs) return good("Clock", "this one and the database's agree to a second");
  const says = `this one is ${seconds} s ${offMs > 0 ? "behind" : "ahead of"} the database's`;
  return bad("Clock", says, "set both by NTP: chronyc tracking, or timedatectl, says which one is off");
}

async function findSchema(database: SignalDatabase, schema: string): Promise<Finding> {
  const subject = "Database schema";
  const make = "start a worker once as a user who may create it: session-activity history";
  const [there] = await rowsOf(database, `select to_regclass('${schema}.migration') is not null as is_there`);
  if (there?.["is_there"] !== true)
    return bad(subject, `there is no history in the schema ${schema}`, `${make}; or mend --schema`);
  const [found] = await rowsOf(
    database,
    `select max(version) as version, has_table_privilege('${schema}.observation', 'insert') as may_write from ${schema}.migration`,
  );
  const version = Number(found?.["version"] ?? 0);
  if (version < schemaVersion) {
    return bad(subject, `${schema} has version ${version}, and this package needs ${schemaVersion}`, make);
  }
  if (version > schemaVersion) {
    return bad(
      subject,
      `${schema} has version ${version}, and this package knows ${schemaVersion}`,
      "update the package",
    );
  }
  if (found?.["may_write"] !== true) {
    return warning(
      subject,
      `${schema} has version ${version}, and this user may only read it`,
      "for a worker: grant the rights that docs/history.md names",
    );
  }
  return good(subject, `${schema} has version ${version}, and this user may write to it`);
}

async function rowsOf(
  database: SignalDatabase,
  statement: string,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const { rows } = await database.query(statement);
  return rows.map((row) => ({ ...(isOptions(row) ? row : {}) }));
}
