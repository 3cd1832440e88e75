import { createMemoryPublisher, createSessionActivityInterceptor } from "connect-session-activity";
import { startSessionTracking } from "connect-session-activity/kafka";

export const publisher = createMemoryPublisher();
export const interceptor = createSessionActivityInterceptor({ service: "account-service", publisher, log: false });
/** As the documents show it, where the interceptor above is wired by hand. */
export const tracking = startSessionTracking({ env: false, service: "account-service", log: false });
/** The names of the session headers that handlers saw. */
export const seen: Set<string> = new Set();
