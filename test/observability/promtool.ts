import { spawnSync } from "node:child_process";

/** What promtool said. */
export interface PromtoolAnswer {
  readonly status: number | null;
  readonly output: string;
}

/** Runs Prometheus' own tool. Throws an Error that says how to install it, if it is missing. */
export function promtool(
  args: readonly string[],
  { input = "", cwd }: { input?: string; cwd?: string } = {},
): PromtoolAnswer {
  const { error, status, stdout, stderr } = spawnSync("promtool", args, { input, cwd, encoding: "utf8" });
  if (error !== undefined) {
    const advice = "install promtool (on Debian: apt-get install --no-install-recommends prometheus)";
    throw new Error(`promtool cannot be run: ${advice}`, { cause: error });
  }
  return { status, output: `${stdout}${stderr}` };
}
