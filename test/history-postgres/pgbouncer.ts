import { spawnSync } from "node:child_process";
import { chownSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Pg from "pg";
import { onTestFinished } from "vitest";
import { freePorts } from "../support/free-ports.js";
import { isRunning, spawnServer } from "../support/server-process.js";
import { pause } from "../support/until.js";
import { ownerOf, type PostgresServer } from "./postgres-server.js";

/** Debian keeps it off the PATH of users. */
const programs = ["pgbouncer", "/usr/sbin/pgbouncer"];

/** Starts PgBouncer before a server, with its default settings but that of the pool, until the test is over. Answers with its port. */
export async function startPgBouncer(server: PostgresServer, poolMode: "transaction" | "session"): Promise<number> {
  const program = programs.find((one) => spawnSync(one, ["--version"]).status === 0);
  if (program === undefined)
    throw new Error("PgBouncer is not installed. On Debian or Ubuntu: apt-get install pgbouncer");
  const folder = mkdtempSync(join(tmpdir(), "pgbouncer-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const [port = 0] = await freePorts(1);
  const [users, settings, log] = ["users.txt", "pgbouncer.ini", "log"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(users, '"postgres" ""\n');
  writeFileSync(
    settings,
    `[databases]
* = host=127.0.0.1 port=${server.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = ${users}
pool_mode = ${poolMode}
`,
  );
  writeFileSync(log, "");
  // It refuses to run as root, too.
  const owner = ownerOf();
  const { uid, gid } = owner;
  if (uid !== undefined && gid !== undefined)
    for (const path of [folder, users, settings, log]) chownSync(path, uid, gid);
  const child = spawnServer(program, [settings], log, owner);
  onTestFinished(() => void child.kill("SIGKILL"));
  while (!(await answers(port))) {
    if (!isRunning(child)) throw new Error(`PgBouncer did not start:\n${readFileSync(log, "utf8")}`);
    await pause(25);
  }
  return port;
}

async function answers(port: number): Promise<boolean> {
  const client = new Pg.Client({ connectionString: `postgresql://postgres@127.0.0.1:${port}/postgres` });
  client.on("error", () => {});
  try {
    await client.connect();
    await client.query("select 1");
    await client.end();
    return true;
  } catch {
    return false;
  }
}
