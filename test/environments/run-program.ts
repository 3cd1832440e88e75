import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** A path in this folder. */
export const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** What `app/run.mjs` prints if all of it works. */
export const works: object = { statuses: { OK: 1 }, delivered: 1, dropped: {}, databases: "ECONNREFUSED" };

/** This process's environment without what npm tells its scripts, which would tell it to others, too. */
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^npm_|^VITEST|^NODE_(ENV|OPTIONS)$/i.test(name)),
);

/** How a program is run. */
interface Run {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a program to its end, and gives what it printed. Rejects if it fails, with that. */
export async function runProgram(program: string, args: readonly string[], { cwd, env }: Run = {}): Promise<string> {
  const options = { cwd: cwd ?? here("."), env: { ...environment, ...env }, maxBuffer: 1 << 26 };
  try {
    return (await promisify(execFile)(program, args, options)).stdout;
  } catch (error) {
    const { stdout, stderr, message } = error as Error & { readonly stdout: string; readonly stderr: string };
    throw new Error([message, stdout, stderr].join("\n"), { cause: error });
  }
}

/** The same for a script on this Node. */
export function runNode(args: readonly string[], run: Run = {}): Promise<string> {
  return runProgram(process.execPath, args, run);
}
