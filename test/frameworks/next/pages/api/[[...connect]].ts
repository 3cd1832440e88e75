import { nextJsApiRouter } from "@connectrpc/connect-next";
import { routes } from "../../routes";
import { interceptor } from "../../tracking";

const { handler, config } = nextJsApiRouter({
  routes,
  interceptors: [interceptor],
  contextValues: (request) => interceptor.contextValues(request),
});

export { config, handler as default };
