import { type ChildProcess, execFile } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import Pg from "pg";
import { freePorts } from "../support/free-ports.js";
import { isRunning, spawnServer } from "../support/server-process.js";

/** A PostgreSQL server of our own, on a loopback port that was free. It can be started again after its end. */
export interface PostgresServer {
  readonly port: number;
  /** The address of a database, for `openSignalDatabase` or `pg`. */
  url(database?: string): string;
  /** Creates a database, and answers with its address. What it is made with is SQL. */
  createDatabase(name: string, madeWith?: string): Promise<string>;
  /** Runs statements in a database, each as the server's owner and on its own, and answers with the rows of the last. */
  sql(database: string, ...statements: readonly string[]): Promise<Record<string, unknown>[]>;
  /** Resolves when it takes connections. */
  start(): Promise<void>;
  /** Cuts connections, and ends in order. */
  stop(): Promise<void>;
  /** SIGKILL for all of its processes: nothing is flushed, and it has to recover. */
  kill(): Promise<void>;
  /** SIGSTOP for all of its processes: connections stay, and nobody answers. */
  freeze(): void;
  /** SIGCONT */
  thaw(): void;
  /** Its whole log. */
  log(): string;
  /** Kills it, and deletes what it stored. */
  close(): Promise<void>;
}

/** What a server may be started with. */
export interface PostgresServerOptions {
  /** Lines of `postgresql.conf`. They come last. By default it is durable, as PostgreSQL is by itself. */
  readonly settings?: Readonly<Record<string, string | number | boolean>>;
  /** Where it keeps its data. By default, a temporary folder. It must exist, be empty, and belong to the server's owner. */
  readonly folder?: string;
}

const run = promisify(execFile);
/** Settings for a server that is not killed: it need not wait for the disk. */
export const notDurable: Readonly<Record<string, boolean>> = {
  fsync: false,
  synchronous_commit: false,
  full_page_writes: false,
};

/** Starts a server. Where it does not come up, the error shows the log. */
export async function startPostgres(options: PostgresServerOptions = {}): Promise<PostgresServer> {
  const programs = programFolder();
  const owner = ownerOf();
  const folder = options.folder ?? createOwnedFolder();
  const data = join(folder, "data");
  const logFolder = mkdtempSync(join(tmpdir(), "postgres-log-"));
  const logFile = join(logFolder, "server.log");
  const [port = 0] = await freePorts(1);
  let child: ChildProcess | undefined;

  const log = (): string => (existsSync(logFile) ? readFileSync(logFile, "utf8") : "(no log)");
  const url = (database = "postgres"): string => `postgresql://postgres@127.0.0.1:${port}/${database}`;

  async function sql(database: string, ...statements: readonly string[]): Promise<Record<string, unknown>[]> {
    const client = new Pg.Client({ connectionString: url(database), connectionTimeoutMillis: 5_000 });
    client.on("error", () => {});
    await client.connect();
    try {
      let rows: Record<string, unknown>[] = [];
      for (const statement of statements) ({ rows } = await client.query(statement));
      return rows;
    } finally {
      await client.end();
    }
  }

  function signalAll(signal: NodeJS.Signals): void {
    if (child?.pid === undefined) return;
    for (const pid of [child.pid, ...childrenOf(child.pid)]) signalTo(pid, signal);
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (!isRunning(child) || child.pid === undefined) return;
    const exit = once(child, "exit");
    const all = [child.pid, ...childrenOf(child.pid)];
    if (signal === "SIGKILL") for (const pid of all) signalTo(pid, signal);
    else child.kill(signal);
    await exit;
    // The memory that they share must be free before the next start.
    while (all.some((pid) => signalTo(pid, 0))) await delay(5);
  }

  const server: PostgresServer = {
    port,
    url,
    async createDatabase(name, madeWith = "") {
      await sql("postgres", `create database ${name} ${madeWith}`);
      return url(name);
    },
    sql,
    async start() {
      const settings = {
        listen_addresses: "127.0.0.1",
        port,
        unix_socket_directories: "",
        ...options.settings,
      };
      const lines = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
      child = spawnServer(join(programs, "postgres"), ["-D", data, ...lines], logFile, owner);
      const deadline = performance.now() + 60_000;
      while (!(await sql("postgres", "select 1").then(Boolean, () => false))) {
        if (!isRunning(child) || performance.now() > deadline) throw new Error(`PostgreSQL did not start:\n${log()}`);
        await delay(25);
      }
    },
    stop: () => end("SIGINT"),
    kill: () => end("SIGKILL"),
    freeze: () => signalAll("SIGSTOP"),
    thaw: () => signalAll("SIGCONT"),
    log,
    async close() {
      await end("SIGKILL");
      rmSync(logFolder, { recursive: true, force: true });
      if (options.folder === undefined) rmSync(folder, { recursive: true, force: true });
    },
  };
  try {
    const init = ["-D", data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"];
    await run(join(programs, "initdb"), init, owner);
    await server.start();
  } catch (error) {
    await server.close();
    throw error;
  }
  return server;
}

/** A temporary folder that belongs to whom the server runs as. */
export function createOwnedFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "postgres-"));
  const { uid, gid } = ownerOf();
  if (uid !== undefined && gid !== undefined) chownSync(folder, uid, gid);
  return folder;
}

/** PostgreSQL refuses to run as root: then it runs as the user that Debian's package made. */
export function ownerOf(): { readonly uid?: number; readonly gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const line = readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .find((entry) => entry.startsWith("postgres:"));
  if (line === undefined) throw new Error(missing);
  const [, , uid, gid] = line.split(":").map(Number);
  return { uid: uid!, gid: gid! };
}

const missing =
  "PostgreSQL's server is not installed. On Debian or Ubuntu: apt-get install postgresql. Another version is used with POSTGRES_BIN, the folder of its programs.";

/** That of `POSTGRES_BIN`, or the newest of those that are installed: Debian keeps each version in a folder of its own. */
function programFolder(): string {
  const given = process.env["POSTGRES_BIN"];
  if (given !== undefined) {
    if (hasPrograms(given)) return given;
    throw new Error(`POSTGRES_BIN must be a folder that holds initdb and postgres, got ${JSON.stringify(given)}`);
  }
  const base = "/usr/lib/postgresql";
  const versions = existsSync(base) ? readdirSync(base).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = versions.map((version) => join(base, version, "bin"));
  const found = folders.find(hasPrograms);
  if (found === undefined) throw new Error(missing);
  return found;
}

function hasPrograms(folder: string): boolean {
  return ["initdb", "postgres"].every((program) => existsSync(join(folder, program)));
}

function childrenOf(pid: number): number[] {
  const file = `/proc/${pid}/task/${pid}/children`;
  if (!existsSync(file)) return [];
  return readFileSync(file, "utf8").split(" ").filter(Boolean).map(Number);
}

/** Whether the process is there. */
function signalTo(pid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, signal);
  } catch {
    return false;
  }
}
