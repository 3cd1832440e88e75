import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished } from "vitest";
import { openRawHttp1, type RawConnection } from "../attacks/raw-http1.js";
import { procedures } from "../attacks/target.js";
import { freePorts } from "../support/free-ports.js";
import { type ProxyName, programOf } from "./programs.js";

interface Proxy {
  readonly recipe: string;
  args(folder: string, file: string, port: number): readonly string[];
}

/** The proxies that there are recipes for, and how each is started: with its recipe, in a folder of its own. */
const proxies: Readonly<Record<ProxyName, Proxy>> = {
  nginx: {
    recipe: "nginx.conf",
    args: (folder, file) => [
      ...["-p", folder, "-c", file, "-e", "stderr"],
      ...["-g", `daemon off; master_process off; pid ${folder}/pid;`],
    ],
  },
  envoy: {
    recipe: "envoy.yaml",
    args: (_, file) => ["-c", file, "--use-dynamic-base-id", "-l", "error"],
  },
  traefik: {
    recipe: "traefik.yaml",
    args: (_, file, port) => [
      `--entryPoints.web.address=127.0.0.1:${port}`,
      `--providers.file.filename=${file}`,
      "--log.level=ERROR",
    ],
  },
};

/** The recipe as it stands, with ports that are free. */
export function readRecipe(name: ProxyName): string {
  return readFileSync(fileURLToPath(new URL(`../../examples/edge/${proxies[name].recipe}`, import.meta.url)), "utf8");
}

/** Starts a proxy in front of a service, until the test is over. Resolves to its port when calls come through. */
export async function startProxy(
  name: ProxyName,
  recipe: string,
  servicePort: number,
  sessionPort: number,
  open: (port: number) => RawConnection = openRawHttp1,
): Promise<number> {
  const [port = 0] = await freePorts(1);
  const folder = mkdtempSync(join(tmpdir(), "edge-"));
  const file = join(folder, proxies[name].recipe);
  const ports: Record<string, number> = { 8080: port, 8081: servicePort, 8082: sessionPort };
  writeFileSync(
    file,
    recipe.replaceAll(/\b808[012]\b/g, (one) => String(ports[one])),
  );
  const child = spawn(programOf(name), proxies[name].args(folder, file, port), { stdio: ["ignore", "ignore", "pipe"] });
  let errors = "";
  child.stderr.on("data", (chunk) => (errors += String(chunk)));
  child.on("error", (error) => (errors += String(error)));
  onTestFinished(async () => {
    await stop(child);
    rmSync(folder, { recursive: true });
  });
  await expect
    .poll(
      async () => {
        if (child.exitCode !== null || child.pid === undefined) throw new Error(`${name} does not run: ${errors}`);
        const connection = open(port);
        const answer = await connection.call(procedures.login, []);
        connection.close();
        return answer?.status;
      },
      { timeout: 30_000 },
    )
    .toBe(200);
  return port;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.pid === undefined) return;
  const exit = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await exit;
}
