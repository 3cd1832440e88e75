import type { Interceptor } from "@connectrpc/connect";
import { createValidateInterceptor } from "@connectrpc/validate";

/** Validates each request. The messages of the example have no rules, so that this is the least that it costs. */
export const interceptor: Interceptor = createValidateInterceptor();
