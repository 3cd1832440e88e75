import { accessSync, constants, statSync } from "node:fs";
import type { Option } from "./options.js";

/** The path of a file that is there and can be read. */
export function readableFile(
  about: Partial<Option<string | undefined>> & { readonly meaning: string },
): Option<string | undefined> {
  return {
    expects: "the path of a readable file",
    defaultText: "none",
    read: (value) => (typeof value === "string" && isReadable(value) ? value : undefined),
    parse: (given) => given,
    ...about,
  };
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
