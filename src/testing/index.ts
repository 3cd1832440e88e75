export type { SessionTracking } from "../service/tracking.js";
export {
  type ExpectedSessionActivity,
  sessionActivityMatchers,
} from "./activity-matchers.js";
export { createFakeGateway, type FakeGatewayOptions } from "./fake-gateway.js";
export { type FakeSession, type MarkOptions, markHeaders } from "./mark-headers.js";
export { createTestPublisher, type TestPublisher, type WaitOptions } from "./test-publisher.js";
export { createTestTracking, type TestTracking, type TestTrackingOptions } from "./test-tracking.js";
