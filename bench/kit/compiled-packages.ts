import { join } from "node:path";
import { root } from "../../test/support/root.js";

/** Which Connect and protobuf-es a process runs on. */
export type VersionEnd = "newest" | "oldest";

const packages: Readonly<Record<VersionEnd, string>> = {
  newest: root,
  oldest: join(root, "bench", "oldest", "node_modules", "connect-session-activity"),
};

/** A compiled script of the benchmark: of this package, or of the copy that has the oldest packages around it. */
export function scriptOf(end: VersionEnd, script: string): string {
  return join(packages[end], "dist", "bench", script);
}
