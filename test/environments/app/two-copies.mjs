// A service tracks calls by one copy of this package, and its handler comes from a library that has another one.
import { createClient, createRouterTransport } from "@connectrpc/connect";
import * as library from "a-library";
import * as own from "connect-session-activity";
import { createTestTracking, markHeaders } from "connect-session-activity/testing";
import { AccountService } from "example-account";

const tracking = createTestTracking({ log: false });
const second = library.createMemoryPublisher();
const interceptors = [
  tracking.interceptor,
  library.createSessionActivityInterceptor({ service: "library", publisher: second, log: false }),
];
let context;

function changePassword(_, { values }) {
  context = values.get(library.sessionContextKey);
  library.annotateSessionActivity(values, { target: "user/42" });
  return {};
}

const transport = createRouterTransport((router) => router.service(AccountService, { changePassword }), {
  router: { interceptors },
});
await createClient(AccountService, transport).changePassword({}, { headers: markHeaders({ session: "opaque" }) });
const [event] = await tracking.publisher.waitFor(1);
const isTwo = library.annotateSessionActivity !== own.annotateSessionActivity;
process.stdout.write(
  `${JSON.stringify({ isTwo, context, attributes: event.attributes, second: second.events.length })}\n`,
);
