import { expect, test } from "vitest";
import { createProgress } from "../../../src/cli/kafka-client/progress.js";

function written(isTTY: boolean): string {
  let text = "";
  const write = (chunk: unknown): boolean => {
    text += String(chunk);
    return true;
  };
  const progress = createProgress({ isTTY, write });
  progress.say("begin");
  for (let done = 1; done <= 10; done++) progress.count("file", done, 10);
  progress.say("end");
  return text;
}

test("a file gets a line for each quarter", () => {
  expect(written(false)).toBe("begin\nfile: 3 of 10\nfile: 5 of 10\nfile: 8 of 10\nfile: 10 of 10\nend\n");
});

test("a terminal sees each part in place", () => {
  const lines = written(true).split("\n");
  expect(lines[1]?.split("\r").slice(1)).toHaveLength(10);
  expect(lines.slice(2)).toEqual(["end", ""]);
});
