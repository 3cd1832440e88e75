import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Where there is setpriv, a server dies with the process that started it, even where that is killed. */
const leash: readonly string[] =
  spawnSync("setpriv", ["--pdeathsig", "KILL", "true"], { stdio: "ignore" }).status === 0
    ? ["setpriv", "--pdeathsig", "KILL"]
    : [];

/** Starts a server in the background. What it says goes to the end of the log file, and it does not outlive this process. */
export function spawnServer(
  program: string,
  args: readonly string[],
  logFile: string,
  owner: Pick<SpawnOptions, "uid" | "gid"> = {},
): ChildProcess {
  const [command = program, ...leashed] = [...leash, program, ...args];
  const output = openSync(logFile, "a");
  const child = spawn(command, leashed, { ...owner, stdio: ["ignore", output, output] });
  closeSync(output);
  running.add(child);
  child.on("exit", () => running.delete(child));
  return child;
}

/** Whether it was started, and has not ended. */
export function isRunning(child: ChildProcess | undefined): child is ChildProcess {
  return child !== undefined && child.exitCode === null && child.signalCode === null;
}
