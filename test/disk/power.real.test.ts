import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { temporaryFolder } from "../spool/spool-fixtures.js";
import { root } from "../support/root.js";
import { readCalls, straceOf } from "./recorded-calls.js";
import { UnsyncedDisk } from "./unsynced-disk.js";

const compiled = join(root, ".cache", "disk", "test", "disk");

function power(durability: string): { readonly status: number | null; readonly output: string } {
  const args = [join(compiled, "power.js"), "--states", "100", "--seed", "3", "--durability", durability];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  return { status, output: stdout + stderr };
}

it("a spool loses nothing when the power is lost, with durability power", () => {
  expect(power("power")).toEqual({ status: 0, output: expect.stringContaining("nothing lost") });
});

it("a spool loses events when the power is lost, with durability process", () => {
  expect(power("process")).toEqual({ status: 0, output: expect.stringContaining("as is expected of this mode") });
});

it("what was recorded, done again, makes the same files", () => {
  const folder = temporaryFolder();
  const disk = join(folder, "disk");
  const marks = join(folder, "marks");
  const trace = join(folder, "trace");
  const copy = join(folder, "copy");
  mkdirSync(disk);
  const args = ["--directory", join(disk, "spool"), "--marks", marks, "--calls", "100", "--dies"];
  const env = { ...process.env, UV_USE_IO_URING: "0" };
  spawnSync("strace", straceOf(trace, [process.execPath, join(compiled, "power-writer.js"), ...args]), { env });
  const again = new UnsyncedDisk(disk);
  for (const call of readCalls(trace, disk, marks)) again.apply(call);
  const all = {
    below: () => 1,
    pick: <T>(from: readonly T[]) => from[1]!,
    shuffle: <T>(list: readonly T[]) => [...list],
  };
  again.lose(all, copy);
  const contents = (path: string): object =>
    readdirSync(path, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => [
        join(entry.parentPath, entry.name).slice(path.length),
        readFileSync(join(entry.parentPath, entry.name)),
      ])
      .sort(([one], [other]) => (String(one) < String(other) ? -1 : 1));
  expect(contents(copy)).toEqual(contents(disk));
  expect(contents(disk)).not.toEqual([]);
});
