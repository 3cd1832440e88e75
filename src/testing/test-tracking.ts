import { type OptionsOf, readOptions } from "../base/options.js";
import { buildInterceptor } from "../service/interceptor.js";
import {
  type InterceptorSettings,
  interceptorTable,
  type SessionActivityInterceptorOptions,
} from "../service/interceptor-options.js";
import { Shutdown } from "../service/shutdown.js";
import { createTracking, type SessionTracking } from "../service/tracking.js";
import { createTestPublisher, type TestPublisher } from "./test-publisher.js";

/** Options of `createTestTracking`: those of the interceptor, of which none is needed. */
export interface TestTrackingOptions extends Partial<Omit<SessionActivityInterceptorOptions, "publisher">> {}

/** Session tracking whose events a test can wait for. */
export interface TestTracking extends SessionTracking {
  readonly publisher: TestPublisher;
}

const { publisher: _, ...others } = interceptorTable;
const testTrackingTable: OptionsOf<Omit<InterceptorSettings, "publisher">> = {
  ...others,
  service: { ...others.service, byDefault: "test-service" },
};

/**
 * Creates what `startSessionTracking` starts, for tests: it publishes to memory, and reads no environment. Give it to the code
 * that wires your service, in the place of the real one.
 *
 * Throws an `OptionError` for a wrong option.
 *
 * @example
 * const tracking = createTestTracking({ service: "account-service" });
 * const server = tracking.watch(http2.createServer(connectNodeAdapter(tracking.adapterOptions({ routes }))));
 * const [event] = await tracking.publisher.waitFor(1);
 */
export function createTestTracking(options: TestTrackingOptions = {}): TestTracking {
  const settings = readOptions("createTestTracking", testTrackingTable, options);
  const publisher = createTestPublisher();
  const shutdown = new Shutdown(settings);
  const interceptor = buildInterceptor({ ...settings, publisher }, shutdown);
  const { settleTimeoutMs, log } = settings;
  const tracking = createTracking({ interceptor, publisher, shutdown, drainTimeoutMs: settleTimeoutMs, log });
  return { ...tracking, publisher };
}
