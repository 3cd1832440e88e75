import { nextJsApiRouter } from "@connectrpc/connect-next";
import { routes } from "../../../routes";
import { tracking } from "../../../tracking";

const { handler, config } = nextJsApiRouter(tracking.adapterOptions({ routes, prefix: "/api/wired" }));

export { config, handler as default };
