import { userInfo } from "node:os";

/** Who started this process, as the system says it. In a container, a user may have no name. */
export function systemUser(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? "unknown"}`;
  }
}
