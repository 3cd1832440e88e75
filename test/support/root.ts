import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/** The root of the repository, also for this file's compiled form. */
export const root: string = findRoot(import.meta.dirname);

function findRoot(folder: string): string {
  return existsSync(join(folder, "package-lock.json")) ? folder : findRoot(dirname(folder));
}
