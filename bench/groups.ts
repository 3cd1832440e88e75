import { floorGroup, interceptorGroup } from "./interceptor/interceptor-group.js";
import { bytesGroup } from "./kafka/bytes-group.js";
import { consumerGroup } from "./kafka/consumer-group.js";
import { publisherGroup } from "./kafka/publisher-group.js";
import type { Group } from "./kit/group.js";

/** All groups, in the order in which they run. */
export const groups: readonly Group[] = [floorGroup, interceptorGroup, publisherGroup, consumerGroup, bytesGroup];
