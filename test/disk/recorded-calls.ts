// What a process did to a folder, as strace saw it: system calls, and not what a library says that it does.
import { readFileSync } from "node:fs";
import { sep } from "node:path";

/** A call that changed something below a folder, in the order in which the calls ended. Paths are absolute. */
export type DiskCall =
  | { readonly do: "write"; readonly path: string; readonly data: Buffer }
  | { readonly do: "create"; readonly path: string; readonly isEmptied: boolean }
  /** The disk has what was done to this file or folder by the first `seen` calls: those that had ended when this one began. */
  | { readonly do: "sync"; readonly path: string; readonly seen: number }
  | { readonly do: "rename"; readonly path: string; readonly to: string }
  | { readonly do: "unlink" | "rmdir" | "mkdir"; readonly path: string }
  /** The process wrote a line to its file of marks. */
  | { readonly do: "mark"; readonly text: string };

/** The calls to record: all that can change a file system. Those that `callOf` does not know end the reading. */
const recorded = [
  ...["open", "openat", "creat", "write", "writev", "pwrite64", "pwritev", "pwritev2", "sendfile", "copy_file_range"],
  ...["fsync", "fdatasync", "sync_file_range", "sync", "syncfs", "msync", "truncate", "ftruncate", "fallocate"],
  ...["rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir", "mkdir", "mkdirat"],
  ...["link", "linkat", "symlink", "symlinkat", "io_uring_setup"],
];

/** The command that records a program to a file. */
export function straceOf(trace: string, program: readonly string[]): string[] {
  const whole = ["-xx", "-s", "16777216"];
  return ["-f", "-qq", "-y", ...whole, "-e", "signal=none", "-e", `trace=${recorded.join()}`, "-o", trace, ...program];
}

/** Reads recorded calls. Throws if one is of a kind that nobody has thought of. */
export function readCalls(trace: string, folder: string, marks: string): DiskCall[] {
  const calls: DiskCall[] = [];
  const begun = new Map<string, { readonly text: string; readonly seen: number }>();
  for (const line of readFileSync(trace, "latin1").split("\n")) {
    const [, thread = "", rest = ""] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const [, start] = /^(.*) <unfinished \.\.\.>$/.exec(rest) ?? [];
    if (start !== undefined) {
      begun.set(thread, { text: start, seen: calls.length });
      continue;
    }
    const [, end] = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest) ?? [];
    const before = end === undefined ? undefined : begun.get(thread);
    const text = before === undefined ? rest : `${before.text}${end}`;
    const call = callOf(text, before?.seen ?? calls.length, (path) => isBelow(path, folder), marks);
    if (call !== undefined) calls.push(call);
  }
  return calls;
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder + sep);
}

function callOf(line: string, seen: number, isInside: (path: string) => boolean, marks: string): DiskCall | undefined {
  const [, name = "", given = "", result = ""] = /^(\w+)\((.*)\) += (-?\d+|\?)/.exec(line) ?? [];
  if (name === "" && line !== "") throw new Error(`strace says what cannot be read: ${line.slice(0, 200)}`);
  // libuv has a ring without this flag for what is no file.
  if (given.includes("IORING_SETUP_SQPOLL")) throw new Error("strace does not see what goes through io_uring");
  if (result.startsWith("-") || result === "?") return undefined;
  const open = decoded(/^\d+<([^>]*)>/.exec(given)?.[1] ?? "");
  const [first = "", second = ""] = [...given.matchAll(/"([^"]*)"/g)].map(([, text = ""]) => text);
  if (name === "write" && open === marks) return { do: "mark", text: bytesOf(first).toString().trim() };
  const isOfFile = open !== "";
  const path = isOfFile ? open : decoded(first);
  if (!isInside(path)) return undefined;
  switch (name) {
    case "open":
    case "openat":
      if (!/O_WRONLY|O_RDWR/.test(given)) return undefined;
      return { do: "create", path, isEmptied: given.includes("O_TRUNC") };
    case "write": {
      const data = bytesOf(first);
      if (data.length !== Number(/, (\d+)$/.exec(given)?.[1]))
        throw new Error(`not all of a write to ${path} is there`);
      return { do: "write", path, data: data.subarray(0, Number(result)) };
    }
    case "fsync":
    case "fdatasync":
      return { do: "sync", path, seen };
    case "rename":
      return { do: "rename", path, to: decoded(second) };
    case "unlink":
    case "rmdir":
    case "mkdir":
      return { do: name, path };
    default:
      throw new Error(`nobody has thought of ${name} on ${path}`);
  }
}

/** strace writes each byte of a string as two digits. */
function bytesOf(text: string): Buffer {
  return Buffer.from(text.replaceAll("\\x", ""), "hex");
}

function decoded(text: string): string {
  return bytesOf(text).toString();
}
