import { floorGroup, interceptorGroup } from "./interceptor/interceptor-group.js";
import type { Group } from "./kit/group.js";

/** All groups, in the order in which they run. */
export const groups: readonly Group[] = [floorGroup, interceptorGroup];
