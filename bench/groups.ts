import { consoleGroup } from "./console/console-group.js";
import { historyGroup, historyGrowthGroup } from "./history/history-group.js";
import { hotPathGroup } from "./hot-path/hot-path-group.js";
import { floorGroup, interceptorGroup } from "./interceptor/interceptor-group.js";
import { bytesGroup } from "./kafka/bytes-group.js";
import { consumerGroup } from "./kafka/consumer-group.js";
import { lingerGroup } from "./kafka/linger-group.js";
import { poisonGroup } from "./kafka/poison-group.js";
import { publisherGroup } from "./kafka/publisher-group.js";
import { scaleGroup } from "./kafka/scale-group.js";
import { terminalGroup } from "./kafka/terminal-group.js";
import type { Group } from "./kit/group.js";
import { spoolGroup } from "./spool/spool-group.js";

/** All groups, in the order in which they run. */
export const groups: readonly Group[] = [
  floorGroup,
  interceptorGroup,
  hotPathGroup,
  publisherGroup,
  lingerGroup,
  spoolGroup,
  consumerGroup,
  poisonGroup,
  historyGroup,
  bytesGroup,
  historyGrowthGroup,
  consoleGroup,
  scaleGroup,
  terminalGroup,
];
