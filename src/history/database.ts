import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import type Pg from "pg";
import {
  type Environment,
  environmentOption,
  onTopOfEnvironment,
  type Problems,
  readVariables,
  refuse,
  variablesOf,
} from "../base/environment.js";
import { errorCode, errorMessage } from "../base/errors.js";
import { withFailure } from "../base/failure.js";
import { flag, maxInt32, milliseconds, type OptionsOf, readOptions, wholeNumber } from "../base/options.js";
import { packageManagerOf } from "../base/package-manager.js";
import { isSqlState } from "./database-failure.js";
import { lockFolder } from "./folder-lock.js";

/** What the names of the history's variables begin with. */
export const historyPrefix = "SESSION_HISTORY_";

/**
 * Both packages are optional, so they are loaded when they are needed: by a literal name, which bundlers and file tracing know,
 * and each in a `try`, by which bundlers know that it may be missing. In CommonJS that esbuild makes of this, there is no
 * `import.meta.url`.
 */
const require = createRequire(import.meta.url ?? __filename);

/**
 * A PostgreSQL database, 13 or newer: a `Pool` or `Client` of `pg`, a PGlite, or anything else with this method. Each call is
 * one statement, and a transaction of its own, at the isolation level `read committed` (PostgreSQL's default).
 */
export interface SignalDatabase {
  query(text: string, values?: unknown[]): Promise<{ rows: unknown[] }>;
}

const serverPattern = /^postgres(ql)?:/;

/** The options of a database, checked and completed. */
export interface DatabaseSettings {
  readonly url: string | undefined;
  readonly maxConnections: number;
  readonly timeoutMs: number;
  readonly readOnly: boolean;
  readonly env: Environment | false | undefined;
}

/** The options of a database. */
export const databaseTable: OptionsOf<DatabaseSettings> = {
  url: {
    meaning: "The address of a PostgreSQL server, or the path of a folder for an embedded database",
    expects: "postgresql://user@host/name, or the path of a folder",
    defaultText: "an embedded database in memory",
    // It may hold a password.
    secret: true,
    variable: "DATABASE",
    read: (value) => (typeof value === "string" && isAddressOrPath(value) ? value : undefined),
    parse: (given) => given.trim(),
  },
  maxConnections: wholeNumber({
    meaning: "How many connections to a server there may be",
    unit: "connections",
    byDefault: 4,
    variable: "MAX_CONNECTIONS",
  }),
  timeoutMs: milliseconds({
    meaning: "How long a connection or a statement may take",
    byDefault: 30_000,
    variable: "TIMEOUT_MS",
  }),
  readOnly: flag({ meaning: "The database refuses all that would change something in it" }),
  env: environmentOption,
};

const databaseVariables = variablesOf(historyPrefix, databaseTable);

function isAddressOrPath(url: string): boolean {
  if (serverPattern.test(url)) return URL.canParse(url);
  return url !== "" && !/^\w+:\/\//.test(url);
}

/** A database that was opened here, and is closed here. */
export interface OpenSignalDatabase extends SignalDatabase {
  close(): Promise<void>;
}

/** Where the database is, and how to speak to it. What is not given comes from the environment, then from the defaults. */
export interface SignalDatabaseOptions {
  /**
   * A PostgreSQL server as `postgresql://user@host/name` (needs `pg`, which also reads `PGPASSWORD` and the like), or the path
   * of a folder for an embedded PGlite. By default, what `SESSION_HISTORY_DATABASE` says, or a PGlite in memory (both need `@electric-sql/pglite`). A folder that is
   * open already is refused with the code `EBUSY`, except on Windows, and except if it was opened on another machine.
   */
  url?: string | undefined;
  /** How many connections to a server there may be. By default, 4. */
  maxConnections?: number | undefined;
  /**
   * How long a connection or a statement may take. By default, 30,000 ms. The server ends a statement that takes longer; each
   * runs in a transaction that says so, which also works through a pooler such as PgBouncer.
   */
  timeoutMs?: number | undefined;
  /**
   * The database refuses all that would change something in it: each statement runs in a transaction that is read only. The
   * folder of an embedded database must be there already.
   *
   * @default false
   */
  readOnly?: boolean | undefined;
  /**
   * The environment variables that stand beneath the options. `false` ignores the environment.
   *
   * @default the process's environment
   */
  env?: Environment | false | undefined;
}

/**
 * Opens a database. It connects when it is first asked something, so a server that is down is no reason to fail.
 *
 * Throws an Error that says what to install if the package that it needs is missing.
 */
export function openSignalDatabase(options: SignalDatabaseOptions = {}): OpenSignalDatabase {
  const all = onTopOfEnvironment(options, (env) => {
    const problems: Problems = new Map();
    const beneath = readVariables(databaseVariables, env, problems);
    refuse(problems, "the signal database");
    return beneath;
  });
  const settings = readOptions("openSignalDatabase", databaseTable, all);
  const { url, readOnly } = settings;
  if (url !== undefined && serverPattern.test(url)) return openServer(url, settings);
  return openEmbedded(url, readOnly);
}

/** So much later than the server the client gives up: the server's own words say more, and leave the connection usable. */
const clientPatienceMs = 1_000;

function openServer(
  connectionString: string,
  { maxConnections: max, timeoutMs, readOnly }: DatabaseSettings,
): OpenSignalDatabase {
  const { Pool } = loadPg();
  const pool = new Pool({
    connectionString,
    max,
    connectionTimeoutMillis: timeoutMs,
    query_timeout: timeoutMs === 0 ? 0 : Math.min(maxInt32, timeoutMs + clientPatienceMs),
    keepAlive: true,
    application_name: "session-activity",
  });
  // The pool replaces a connection that was cut while nobody used it; without a listener, the process would end.
  pool.on("error", ignore);
  // Not for the connection: a pooler refuses that, and another client of its would inherit it.
  const begin = `begin${readOnly ? " read only" : ""}; set local statement_timeout = ${Math.ceil(timeoutMs)}`;
  let closed: Promise<void> | undefined;
  return {
    async query(text, values) {
      const client = await pool.connect();
      client.on("error", ignore);
      let isUsable = false;
      try {
        await client.query(begin);
        const result = await client.query(text, values);
        await client.query("commit");
        isUsable = true;
        return result;
      } catch (error) {
        // Whether the client gave up or the connection is gone: the server ends what it was doing.
        if (isSqlState(errorCode(error))) isUsable = await rollBack(client);
        throw error;
      } finally {
        client.off("error", ignore);
        client.release(!isUsable);
      }
    },
    close() {
      closed ??= pool.end();
      return closed;
    },
  };
}

function rollBack(client: Pg.PoolClient): Promise<boolean> {
  return client.query("rollback").then(
    () => true,
    () => false,
  );
}

function ignore(): void {
  // Whoever asks next is told.
}

/** The part of PGlite that is used: its own declarations need those of browsers. */
interface EmbeddedModule {
  readonly PGlite: new (folder?: string) => OpenSignalDatabase;
}

function openEmbedded(folder: string | undefined, readOnly: boolean): OpenSignalDatabase {
  const { PGlite } = loadPglite();
  let opening: Promise<OpenSignalDatabase> | undefined;
  let closed: Promise<void> | undefined;

  async function open(): Promise<OpenSignalDatabase> {
    if (readOnly && (folder === undefined || !existsSync(folder))) {
      const message = "there is no database in this folder that could be read: let a history worker make it first";
      throw withFailure(new Error(message), "permanent");
    }
    // PGlite does not see that another one has its folder: both go on, and what one wrote is gone.
    const lock = folder === undefined || process.platform === "win32" ? undefined : await lockFolder(folder);
    const database = new PGlite(folder);
    if (readOnly) await database.query("set default_transaction_read_only = on");
    return {
      query: (text, values) => database.query(text, values),
      async close() {
        try {
          await database.close();
        } finally {
          await lock?.release();
        }
      },
    };
  }

  return {
    async query(text, values) {
      if (closed !== undefined) throw new Error("the embedded database is closed");
      // One that somebody else has may be free the next time.
      opening ??= open().catch((error: unknown) => {
        opening = undefined;
        throw error;
      });
      return (await opening).query(text, values);
    },
    close() {
      // If it could not be opened, whoever asked was told.
      closed ??= Promise.resolve(opening?.catch(() => undefined)).then((database) => database?.close());
      return closed;
    },
  };
}

function loadPg(): typeof Pg {
  try {
    return require("pg");
  } catch (cause) {
    throw loadError("pg", cause);
  }
}

function loadPglite(): EmbeddedModule {
  try {
    return require("@electric-sql/pglite");
  } catch (cause) {
    throw loadError("@electric-sql/pglite", cause);
  }
}

function loadError(name: string, cause: unknown): Error {
  if (errorCode(cause) === "MODULE_NOT_FOUND" && errorMessage(cause).includes(`'${name}'`)) {
    const manager = packageManagerOf(import.meta.filename ?? __filename);
    return new Error(`${name} is not installed. Run: ${manager.install(name)}`, { cause });
  }
  return new Error(`${name} cannot be loaded: ${errorMessage(cause)}`, { cause });
}
