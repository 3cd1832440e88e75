// Real disks in trouble. A mount needs a name space of its own, and a hung disk is one whose calls strace holds back.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../spool/spool-fixtures.js";
import { root } from "../support/root.js";
import type { DiskReport } from "./disk-process.js";

const script = join(root, ".cache", "disk", "test", "disk", "disk-process.js");
const modes = ["run", "refuse"] as const;
type Mode = (typeof modes)[number];

/** Runs the process until it has told what became of its calls. strace would not end while it holds a call back. */
async function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<DiskReport> {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "inherit"] });
  try {
    const line = once(createInterface({ input: child.stdout }), "line");
    const [report] = await Promise.race([line, once(child, "exit").then(() => ["it ended before it told anything"])]);
    return JSON.parse(String(report));
  } finally {
    child.kill("SIGKILL");
  }
}

function program(scene: string, directory: string, mode: Mode): string[] {
  return [process.execPath, script, "--scene", scene, "--directory", directory, "--onUnrecordable", mode];
}

/** Runs the process on a file system of its own. `then` is done to it first. */
function onMount(options: string, then: string, scene: string, mode: Mode): Promise<DiskReport> {
  const disk = join(temporaryFolder(), "disk");
  mkdirSync(disk);
  const mount = `mount -t tmpfs -o ${options} none ${disk} && ${then.replaceAll("DISK", disk)} && exec "$@"`;
  return run("unshare", ["-rm", "sh", "-c", mount, "sh", ...program(scene, join(disk, "spool"), mode)]);
}

describe.each(modes)("with onUnrecordable %s", (mode) => {
  it("a disk that is full, and has room again later, loses nothing that it took, and counts the rest", async () => {
    const { ran, spool, publisher } = await onMount("size=16m", "true", "full", mode);
    expect(ran).toBe(mode === "run");
    expect(spool.unrecorded.error).toBeGreaterThan(0);
    expect(spool.refused > 0).toBe(mode === "refuse");
    expect(publisher.delivered).toBeGreaterThan(0);
    expect(publisher.queued).toBe(0);
    // What was neither taken nor refused was only in memory, and Kafka was away.
    const dropped = publisher.dropped.expired ?? 0;
    expect(publisher.delivered + dropped).toBe(publisher.offered);
    expect(dropped).toBeLessThanOrEqual(spool.unrecorded.error ?? 0);
  });

  it("a disk that is read-only is an error", async () => {
    const { ran, spool } = await onMount("size=4m", "mount -o remount,ro DISK", "refused", mode);
    expect(ran).toBe(mode === "run");
    expect(spool.unrecorded.error).toBeGreaterThan(0);
  });

  it("a disk that hangs is slow, and holds two of Node's threads at the most", async () => {
    const directory = join(temporaryFolder(), "spool");
    const hang = ["-e", "trace=fdatasync", "-e", "inject=fdatasync:delay_enter=600000000"];
    const strace = ["-f", "-qq", "-o", "/dev/null", ...hang, ...program("hung", directory, mode)];
    // A third thread is all that the rest of the process has.
    const { ran, spool, canRead } = await run("strace", strace, { UV_THREADPOOL_SIZE: "3" });
    expect(ran).toBe(mode === "run");
    expect(spool.unrecorded.slow).toBeGreaterThan(0);
    expect(spool.writeDelayMs).toBeGreaterThan(200);
    expect(canRead).toBe(true);
  });
});
