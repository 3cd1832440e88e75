import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { createOwnedFolder, ownerOf } from "./postgres-server.js";

/** A file system of its own that is soon full. */
export interface SmallDisk {
  readonly folder: string;
  /** Makes it larger. */
  grow(megabytes: number): void;
  setReadOnly(isReadOnly: boolean): void;
  remove(): void;
}

/** Mounts one. Undefined where this process may not mount, as in most containers. */
export function mountSmallDisk(megabytes: number): SmallDisk | undefined {
  const folder = createOwnedFolder();
  const { uid, gid } = ownerOf();
  const owner = uid === undefined ? "" : `,uid=${uid},gid=${gid},mode=700`;
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m${owner}`, "none", folder], { stdio: "ignore" });
  } catch {
    rmSync(folder, { recursive: true });
    return undefined;
  }
  return {
    folder,
    grow: (more) => void execFileSync("mount", ["-o", `remount,size=${more}m`, folder]),
    setReadOnly: (isReadOnly) => void execFileSync("mount", ["-o", `remount,${isReadOnly ? "ro" : "rw"}`, folder]),
    remove() {
      // What still has files open there is about to end.
      execFileSync("umount", ["--lazy", folder]);
      rmSync(folder, { recursive: true });
    },
  };
}

/** Whether this process may mount. */
export function canMount(): boolean {
  const disk = mountSmallDisk(1);
  disk?.remove();
  return disk !== undefined;
}

/** Sets how large the files may be that a process of the server writes, in bytes. */
export function limitFileSize(pid: number, bytes: number): void {
  execFileSync("prlimit", ["--pid", `${pid}`, `--fsize=${bytes}:`], ownerOf());
}
