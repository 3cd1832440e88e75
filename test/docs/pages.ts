import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The absolute path of a file of the repository. */
export const at = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export const read = (path: string): string => readFileSync(at(path), "utf8");

/** A code block of a page. */
export interface Block {
  readonly page: string;
  readonly line: number;
  readonly language: string;
  readonly code: string;
  /** The file that it is taken from, if it says so. */
  readonly file: string | undefined;
}

const inFolder = (folder: string): string[] => readdirSync(at(folder)).map((name) => `${folder}/${name}`);
const isMarkdown = (path: string): boolean => path.endsWith(".md");

/** All pages, by their paths. */
export const pages: readonly string[] = [...readdirSync(at(".")), ...inFolder("docs")].filter(isMarkdown).sort();

/** The code blocks of a page, in their order. Throws for a fence that is indented or not closed: nobody would check its code. */
export function blocksOf(page: string): Block[] {
  const blocks: Block[] = [];
  const lines = read(page).split("\n");
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index] ?? "";
    if (/^\s+```|^~~~/.test(line)) throw new Error(`${page}:${index + 1}: an indented fence`);
    if (!line.startsWith("```")) continue;
    const end = lines.indexOf("```", index + 1);
    if (end === -1) throw new Error(`${page}:${index + 1}: a fence that is not closed`);
    blocks.push({
      page,
      line: index + 1,
      language: line.slice(3),
      code: `${lines.slice(index + 1, end).join("\n")}\n`,
      file: /^<!-- ((?:examples|proto\/example)\/\S+) -->$/.exec(lines[index - 1] ?? "")?.[1],
    });
    index = end;
  }
  return blocks;
}

/** The page without code blocks and comments, a line each, so that line numbers stay. */
export function linesOutsideCode(page: string): string[] {
  let isCode = false;
  return read(page)
    .split("\n")
    .map((line) => {
      const isFence = line.startsWith("```");
      if (isFence) isCode = !isCode;
      return isCode || isFence || line.startsWith("<!--") ? "" : line;
    });
}

/** A command of a shell block, as a shell would take it apart. */
export interface Command {
  readonly env: Readonly<Record<string, string>>;
  readonly program: string;
  readonly args: readonly string[];
}

/** The commands of a shell block: a line each, if none ends in a backslash. Takes variables before a command, and no quotes. */
export function commandsOf(block: Pick<Block, "code">): Command[] {
  const lines = block.code.replaceAll(/\\\n\s*/g, "").split("\n");
  return lines.filter(Boolean).map((line) => {
    const words = line.split(/\s+/);
    const first = words.findIndex((word) => !/^[A-Z_]+=/.test(word));
    const variables = words.slice(0, first).map((word) => word.split(/=(.*)/s).slice(0, 2));
    return { env: Object.fromEntries(variables), program: words[first] ?? "", args: words.slice(first + 1) };
  });
}

/** The shell block of a page that has this program in it. */
export function shellBlock(page: string, program: string): Block {
  const found = blocksOf(page).find(
    (block) => block.language === "sh" && commandsOf(block).some((command) => command.program.endsWith(program)),
  );
  if (found === undefined) throw new Error(`${page} has no shell block with ${program}`);
  return found;
}
