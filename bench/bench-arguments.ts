import { parseArgs } from "node:util";
import type { Group } from "./kit/group.js";

/** What a run is asked for. */
export interface BenchOptions {
  readonly kind: "options";
  readonly groups: readonly Group[];
  readonly isQuick: boolean;
  readonly isBusyMachineAllowed: boolean;
  /** Whether docs/performance.md gets the figures. */
  readonly fillsPage: boolean;
  /** The arguments as they were given. */
  readonly given: readonly string[];
}

/** Arguments that cannot be followed. */
export interface WrongArguments {
  readonly kind: "wrong";
  readonly problem: string;
}

const flags = {
  quick: { type: "boolean", default: false },
  "busy-machine": { type: "boolean", default: false },
  write: { type: "boolean", default: false },
} as const;

/** Reads the command line. Without names, all groups run but those that must be named. */
export function readArguments(given: readonly string[], groups: readonly Group[]): BenchOptions | WrongArguments {
  try {
    const { values, positionals } = parseArgs({ args: [...given], options: flags, allowPositionals: true });
    const unknown = positionals.filter((name) => groups.every((group) => group.name !== name));
    if (unknown.length > 0)
      return { kind: "wrong", problem: `there is nothing to measure named ${unknown.join(", ")}` };
    return {
      kind: "options",
      groups: groups.filter(({ name, isOnDemand }) =>
        positionals.length === 0 ? isOnDemand !== true : positionals.includes(name),
      ),
      isQuick: values.quick,
      isBusyMachineAllowed: values["busy-machine"],
      fillsPage: values.write,
      given,
    };
  } catch (error) {
    return { kind: "wrong", problem: error instanceof Error ? error.message : String(error) };
  }
}

export function usage(groups: readonly Group[]): string {
  const names = groups.map(({ name, what, isOnDemand }) => {
    return `  ${name.padEnd(14)}${what}${isOnDemand === true ? "; only if it is named" : ""}`;
  });
  return `npm run bench -- [NAMES] [OPTIONS]

${names.join("\n")}

  --quick         few rounds, to see whether all works
  --write         puts what can be believed into docs/performance.md
  --busy-machine  goes on where others use the CPU; the report then says that it is a trial`;
}
