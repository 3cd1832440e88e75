import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { programOf } from "../edge/programs.js";
import { freePorts } from "../support/free-ports.js";
import { root } from "../support/root.js";
import { isRunning, spawnServer } from "../support/server-process.js";
import type { Ports } from "./lab-record.js";
import type { PathName, TargetOf } from "./plan.js";

const startWithinMs = 15_000;

interface Proxy {
  readonly recipe: string;
  program(): string;
  args(folder: string, file: string): readonly string[];
}

const proxies: Readonly<Record<Exclude<PathName, "direct">, Proxy>> = {
  nginx: {
    recipe: "nginx.conf",
    program: () => programOf("nginx"),
    args: (folder, file) => [
      ...["-p", folder, "-c", file, "-e", "stderr"],
      ...["-g", `daemon off; master_process off; pid ${folder}/pid;`],
    ],
  },
  haproxy: { recipe: "haproxy.cfg", program: () => "haproxy", args: (_, file) => ["-f", file, "-db"] },
  envoy: {
    recipe: "envoy.yaml",
    program: () => programOf("envoy"),
    args: (_, file) => ["-c", file, "--use-dynamic-base-id", "-l", "error", "--concurrency", "1"],
  },
};

/** Gets what has to be downloaded. */
export function fetchProxies(names: readonly PathName[]): void {
  for (const name of names) if (name !== "direct") proxies[name].program();
}

/** Starts a proxy in front of the server. Resolves when it takes connections. */
export async function startLabProxy(
  name: Exclude<PathName, "direct">,
  server: Ports,
  folder: string,
): Promise<{ targetOf: TargetOf; stop(): void }> {
  const { recipe, program, args } = proxies[name];
  const [h2 = 0, h1 = 0] = await freePorts(2);
  const own = join(folder, name);
  mkdirSync(own, { recursive: true });
  const file = join(own, recipe);
  const ports: Record<string, number> = { 8080: h2, 8081: h1, 9080: server.h2c, 9081: server.h1 };
  const template = readFileSync(join(root, "test", "clients", "proxies", recipe), "utf8");
  writeFileSync(
    file,
    template.replaceAll(/\b[89]08[01]\b/g, (one) => String(ports[one])),
  );
  const log = join(own, "log");
  const child = spawnServer(program(), args(own, file), log);
  const until = performance.now() + startWithinMs;
  while (!(await accepts(h2)) || !(await accepts(h1))) {
    if (!isRunning(child) || performance.now() > until) {
      throw new Error(`${name} does not start: ${readFileSync(log, "utf8")}`);
    }
    await sleep(50);
  }
  return {
    targetOf: ({ http }) => `127.0.0.1:${http === "2" ? h2 : h1}`,
    stop: () => void child.kill("SIGKILL"),
  };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, "127.0.0.1");
    socket.on("connect", () => resolve(true)).on("error", () => resolve(false));
    socket.on("connect", () => socket.destroy());
  });
}
