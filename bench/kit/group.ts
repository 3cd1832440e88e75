import type { GroupResult } from "./report.js";

/** What a group of measurements is run with. */
export interface GroupContext {
  /** Few rounds and few variants: enough to see whether all works. */
  readonly isQuick: boolean;
  /** To be called between rounds. It throws if the machine is too busy to measure on. */
  readonly afterRound: () => void;
  /** Tells how far it is. */
  readonly say: (line: string) => void;
}

/** Measurements that belong together. One can ask for them by their name. */
export interface Group {
  readonly name: string;
  readonly what: string;
  /** It takes so long, or so much, that it is only run if it is named. */
  readonly isOnDemand?: boolean | undefined;
  run(context: GroupContext): Promise<GroupResult>;
}
