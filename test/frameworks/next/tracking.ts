import { createMemoryPublisher, createSessionActivityInterceptor } from "connect-session-activity";

export const publisher = createMemoryPublisher();
export const interceptor = createSessionActivityInterceptor({ service: "account-service", publisher, log: false });
/** The names of the session headers that handlers saw. */
export const seen: Set<string> = new Set();
