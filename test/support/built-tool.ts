import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { cachePath, fillOnce } from "./cached-folder.js";
import { root } from "./root.js";

/** The folder of what is made of a folder of sources. It is made once, and again where the sources have changed. */
export function builtFrom(name: string, sources: string, build: (folder: string) => void): string {
  const folder = cachePath(name, contentOf(sources));
  fillOnce(folder, build);
  return folder;
}

function contentOf(folder: string): Buffer {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map((file) => join(file.parentPath, file.name)).filter((path) => !path.includes("__pycache__"));
  return Buffer.concat(paths.sort().map((path) => readFileSync(path)));
}

/** Builds all programs of a Go module into a folder. */
export function buildGo(module: string, folder: string): void {
  const env = { CGO_ENABLED: "0", GOFLAGS: "-mod=readonly" };
  runTool("go", ["build", "-trimpath", "-o", `${folder}/`, "./..."], { cwd: module, env });
}

const advice: Readonly<Record<string, string>> = {
  go: "install Go 1.26 or newer",
  python3: "install Python 3.11 or newer with pip (on Debian: apt-get install python3-pip)",
  mvn: "install Maven 3.8 or newer (on Debian: apt-get install maven)",
  javac: "install a JDK 17 or newer (on Debian: apt-get install openjdk-17-jdk-headless)",
  cc: "install a C compiler (on Debian: apt-get install gcc libc6-dev)",
};

/** Runs a command to its end. Throws an Error that says what is missing, or what it printed. */
export function runTool(
  command: string,
  args: readonly string[],
  { cwd = root, env = {} }: { readonly cwd?: string; readonly env?: object } = {},
): void {
  const { error, status, stdout, stderr } = spawnSync(command, args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  if (status === 0) return;
  const hint = error === undefined ? "" : `: ${advice[command] ?? "is it installed?"}`;
  throw new Error(`"${command} ${args[0]}" failed${hint}\n${error ?? ""}${stdout ?? ""}${stderr ?? ""}`);
}
