import type { Group } from "../kit/group.js";
import { startScript } from "../kit/peer-process.js";
import type { PoisonAnswer, PoisonQuestion } from "./poison-process.js";

export const poisonGroup: Group = {
  name: "poison",
  what: "a handler of batches that refuses some records",
  async run({ isQuick, say }) {
    const [count, shares] = isQuick ? [1_000, [0, 0.05]] : [10_000, [0, 0.01, 0.05, 0.2]];
    const broker = await startScript<object, string>(new URL("../kit/broker-process.js", import.meta.url), ["poison"]);
    const script = new URL("./poison-process.js", import.meta.url);
    const reader = await startScript<PoisonQuestion, PoisonAnswer>(script, [await broker.ask({})]);
    try {
      const rows = [];
      for (const share of shares) {
        const name = `${share * 100} % poison`;
        say(name);
        const { calls, seconds } = await reader.ask({ count, share });
        rows.push({ name, cells: [calls, seconds] });
      }
      const columns = [
        { title: "calls of the handler", digits: 0 },
        { title: "seconds", digits: 1 },
      ];
      return { name: "poison", tables: [{ title: `${count.toLocaleString("en-US")} events`, columns, rows }] };
    } finally {
      await reader.end();
      await broker.end();
    }
  },
};
