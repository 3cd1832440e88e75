import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

/** The one-way delays of the delayed network, in milliseconds. */
export const delays = [0, 10, 25, 50, 100] as const;

/** The address behind which this machine seems to be so far away. See go/delay/main.go. */
export function delayedAddress(delayMs: number): string {
  return `10.99.${delayMs}.2`;
}

/** The command that runs another in a network namespace of its own, or undefined if this machine forbids it. */
export function namespaceCommand(): readonly string[] | undefined {
  for (const command of [
    ["unshare", "-rn"],
    ["unshare", "-n"],
  ] as const) {
    const [program, ...args] = command;
    if (spawnSync(program, [...args, "ip", "link", "set", "lo", "up"], { stdio: "ignore" }).status === 0)
      return command;
  }
  return undefined;
}

/** Lets programs in this network namespace reach each other. */
export function openLoopback(): void {
  spawnSync("ip", ["link", "set", "lo", "up"]);
}

/** Starts the delayed network in this namespace. Throws an Error if this machine forbids it. */
export async function startDelays(programs: string): Promise<ChildProcess> {
  const child = spawn(join(programs, "delay"), delays.map(String), { stdio: ["pipe", "pipe", "pipe"] });
  let errors = "";
  child.stderr.on("data", (chunk) => (errors += String(chunk)));
  const ready = once(child.stdout, "data");
  const exit = once(child, "exit");
  if ((await Promise.race([ready.then(() => "ready"), exit.then(() => "exit")])) === "exit") throw new Error(errors);
  return child;
}
