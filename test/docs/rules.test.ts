// What holds for the text of every page: links, length, language, and nothing of somebody's machine.
import { existsSync, statSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, it } from "vitest";
import { at, linesOutsideCode, pages, read } from "./pages.js";

/** GitHub's rule for the anchors of headings. */
function anchorsOf(page: string): Set<string> {
  const anchors = new Set<string>();
  for (const line of linesOutsideCode(page)) {
    const heading = /^#{1,6} (.+)$/.exec(line)?.[1];
    if (heading === undefined) continue;
    const text = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const anchor = text.replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, "").replaceAll(" ", "-");
    let unique = anchor;
    for (let n = 1; anchors.has(unique); n++) unique = `${anchor}-${n}`;
    anchors.add(unique);
  }
  return anchors;
}

interface Link {
  readonly from: string;
  readonly line: number;
  readonly target: string;
}

function linksOf(page: string): Link[] {
  return linesOutsideCode(page).flatMap((line, index) => {
    const text = line.replaceAll(/`[^`]*`/g, "code");
    return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => ({
      from: page,
      line: index + 1,
      target: target!,
    }));
  });
}

/** What is wrong with a link, or undefined. */
function problemOf({ from, target }: Link): string | undefined {
  if (/^https?:/.test(target)) return undefined;
  const [path = "", anchor] = target.split("#");
  const file = path === "" ? from : normalize(join(dirname(from), path));
  if (file.startsWith("..") || !existsSync(at(file))) return "there is no such file";
  if (anchor === undefined) return undefined;
  if (statSync(at(file)).isDirectory() || !file.endsWith(".md")) return "an anchor in what is no page";
  return anchorsOf(file).has(anchor) ? undefined : "there is no such heading";
}

const links = pages.flatMap(linksOf);
const targets = [...new Set(links.map(({ from, target }) => normalize(join(dirname(from), target))))];

describe("links", () => {
  it("are found", () => expect(targets.length).toBeGreaterThan(60));

  // By their target: one page that is not there yet fails once.
  it.each(targets)("%s", (wanted) => {
    const own = links.filter(({ from, target }) => normalize(join(dirname(from), target)) === wanted);
    const problems = own.flatMap((link) => problemOf(link) ?? []);
    expect(problems, own.map(({ from, line }) => `${from}:${line}`).join(", ")).toEqual([]);
  });

  it("lead to every page in docs/ from the README", () => {
    const readme = linksOf("README.md").map(({ target }) => target.split("#")[0]);
    expect(pages.filter((page) => page.startsWith("docs/") && !readme.includes(page))).toEqual([]);
  });
});

describe("text", () => {
  it("is at most 150 lines in the README", () => {
    expect(read("README.md").trimEnd().split("\n").length).toBeLessThanOrEqual(150);
  });

  it.each(pages)("holds no registry host and no path of a machine: %s", (page) => {
    const hosts =
      /registry\.\w|npmjs\.(?:org|com)|pypi\.org|pythonhosted|proxy\.golang|repo1?\.maven|docker\.io|ghcr\.io/i;
    const absolute = /(?:^|[\s`"'(=:])(?:\/(?:home|root|Users|work|tmp|var|opt|usr|etc|mnt|srv|private)\/|[A-Z]:\\)/;
    const found = read(page)
      .split("\n")
      .flatMap((line, index) => (hosts.test(line) || absolute.test(line) ? `${page}:${index + 1}: ${line}` : []));
    expect(found).toEqual([]);
  });

  it.each(pages)("has no sentence of more than 30 words: %s", (page) => {
    const long = sentencesOf(page).filter(({ words }) => words > 30);
    expect(long).toEqual([]);
  });

  it("is taken apart into sentences", () => {
    const words = pages.flatMap(sentencesOf).map((sentence) => sentence.words);
    expect(words.length).toBeGreaterThan(500);
    expect(Math.max(...words)).toBeGreaterThan(25);
  });
});

/** Sentences outside of code, tables and headings. Code inside a sentence counts as one word. */
function sentencesOf(page: string): { at: string; words: number; sentence: string }[] {
  const paragraphs: { line: number; text: string }[] = [];
  let open = false;
  linesOutsideCode(page).forEach((line, index) => {
    const isText = line.trim() !== "" && !/^\s*\||^#{1,6} /.test(line);
    const begins = !open || /^\s*(?:[-*]|\d+\.) /.test(line);
    if (isText && begins) paragraphs.push({ line: index + 1, text: line });
    else if (isText) paragraphs.at(-1)!.text += ` ${line}`;
    open = isText;
  });
  return paragraphs.flatMap(({ line, text }) => {
    const plain = text
      .replace(/^\s*(?:[-*]|\d+\.) /, "")
      .replaceAll(/`[^`]*`/g, "code")
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .replaceAll("**", "");
    return plain.split(/(?<=[.!?][)"]?)\s+/).map((sentence) => ({
      at: `${page}:${line}`,
      words: sentence.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word)).length,
      sentence,
    }));
  });
}
