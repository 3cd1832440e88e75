import { expect, it } from "vitest";
import { startProgram } from "../../bench/kit/peer-process.js";

it("a program answers each line by a line", async () => {
  const echo = startProgram<object, object>("cat", [], {});
  expect(await echo.ask({ calls: 1 })).toEqual({ calls: 1 });
  expect(await echo.ask({ calls: 2 })).toEqual({ calls: 2 });
  await echo.end();
});

it("an error in the answer is an error of the question", async () => {
  const echo = startProgram<object, object>("cat", [], {});
  await expect(echo.ask({ error: "no such server" })).rejects.toThrow("cat: no such server");
  await echo.end();
});

it("a program that ends leaves no question open", async () => {
  const failing = startProgram<object, object>("sh", ["-c", "read line; exit 3"], {});
  await expect(failing.ask({})).rejects.toThrow("ended with 3: sh -c");
});

it("a program that is not there fails the question", async () => {
  const missing = startProgram<object, object>("no-such-program", [], {});
  await expect(missing.ask({})).rejects.toThrow(/ENOENT/);
});
