import { callKinds, protocols } from "../interceptor/call-settings.js";
import { judgeOf, measureSettings, type Setting } from "../interceptor/interceptor-group.js";
import { inMemory, spoolVariants } from "../interceptor/interceptor-variants.js";
import { ratioOf, type Samples, spreadOfFigure } from "../kit/comparison.js";
import type { Group } from "../kit/group.js";
import type { Table } from "../kit/report.js";

const [kind] = callKinds;
const [protocol] = protocols;
const setting: Setting = { end: "newest", protocol, kind };

export const spoolGroup: Group = {
  name: "spool",
  what: "a marked call with a spool, against one whose event is in memory only",
  async run(context) {
    const measured = await measureSettings(spoolVariants, [setting], context);
    return { name: "spool", tables: [...measured.values()].map(tableOf) };
  },
};

const columns = [
  { title: "p50 of a call, µs", digits: 0 },
  { title: "p99, µs", digits: 0 },
  { title: "p50, of memory only", digits: 3 },
  { title: "p99, of memory only", digits: 3 },
  { title: "calls/s, of memory only", digits: 3 },
  { title: "server CPU, of memory only", digits: 3 },
];

function tableOf(samples: Samples): Table {
  const own = spoolVariants.filter(({ events }) => events === 1);
  return {
    title: "An empty gRPC call, marked, 16 at a time",
    columns,
    rows: own.map(({ name }) => ({
      name,
      cells: [
        ...["p50Us", "p99Us"].map((figure) => spreadOfFigure(samples, name, figure)),
        ...["p50Us", "p99Us", "perSecond", "cpuUs"].map((figure) => ratioOf(samples, name, inMemory, figure)),
      ],
    })),
    notes: [
      "As fast as the server answers: each call waits for the ones before it, so a busy disk shows in all of them.",
    ],
    trust: judgeOf(samples),
    samples,
  };
}
