import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { errorMessage, errorName } from "../base/errors.js";
import type { TroubleLog } from "../base/log.js";
import { reasonOf } from "../history/database-failure.js";
import type { Gate } from "./access.js";
import { RequestError, sendAsset, sendEntrance, sendJson, sendRefusal } from "./answers.js";
import type { Audit } from "./audit.js";
import type { ConsoleTrouble } from "./console-troubles.js";
import type { View } from "./history-views.js";
import type { LiveFeed } from "./live-feed.js";
import { readPlace, streamLive } from "./live-stream.js";
import type { CompletenessDetails, Viewer } from "./messages.js";
import type { Asset } from "./page-assets.js";
import type { RunTable } from "./run-table.js";

/** What the server answers with. */
export interface ServerParts {
  readonly gate: Gate;
  readonly assets: ReadonlyMap<string, Asset>;
  readonly views: Readonly<Record<string, View>>;
  readonly feed: LiveFeed;
  readonly runs: RunTable;
  readonly audit: Audit;
  readonly topic: string;
  readonly log: TroubleLog<ConsoleTrouble>;
}

/** Each of them holds a connection of the database, or memory. */
const maxQuestions = 8;
const maxStreams = 32;

/** Answers requests: those that are refused, with no word about what there is. */
export function createListener(parts: ServerParts): RequestListener {
  const server = new ConsoleServer(parts);
  return (request, response) => void server.answer(request, response);
}

class ConsoleServer {
  readonly #parts: ServerParts;
  #questions = 0;
  #streams = 0;

  constructor(parts: ServerParts) {
    this.#parts = parts;
  }

  /** Always resolves. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Nothing that is sent with a request is read.
    request.resume();
    // A log would have the address, and with it what somebody looks for.
    response.on("error", () => {});
    try {
      await this.#route(request, response);
    } catch (error) {
      this.#fail(response, error);
    }
  }

  async #route(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = readUrl(request.url);
    const access = this.#parts.gate.judge(request, url);
    if (access.kind === "refused") {
      this.#parts.log.warn(
        "request_refused",
        { status: access.status, reason: access.reason },
        "A request was refused",
      );
      if (url.pathname.startsWith("/api/")) throw new RequestError(access.status, access.reason);
      sendRefusal(response, access.status, access.reason);
    } else if (access.kind === "entered") {
      sendEntrance(response, access.cookie);
    } else if (url.pathname.startsWith("/api/")) {
      await this.#answerApi(request, response, url, access.user);
    } else {
      this.#answerAsset(request, response, url);
    }
  }

  #answerAsset({ method }: IncomingMessage, response: ServerResponse, { pathname }: URL): void {
    const asset = this.#parts.assets.get(pathname);
    if (asset === undefined) throw new RequestError(404, "there is no such page");
    if (method === "POST") throw new RequestError(405, "GET only");
    sendAsset(response, asset);
  }

  async #answerApi(request: IncomingMessage, response: ServerResponse, url: URL, user: string): Promise<void> {
    const name = url.pathname.slice("/api/".length);
    const isPost = request.method === "POST";
    if (!isPost && request.method !== "GET") throw new RequestError(405, "GET and POST only");
    const { audit, topic } = this.#parts;
    if (name === "export" && isPost) {
      await this.#note("console.export", user, url.searchParams.get("view") ?? "");
      sendJson(response, 200, {});
    } else if (name === "viewer" && !isPost) {
      sendJson(response, 200, { user, audited: audit.isOn, topic } satisfies Viewer);
    } else if (name === "live" && !isPost) {
      await this.#stream(request, response, url, user);
    } else if (name === "completeness" && !isPost) {
      await this.#note("console.look", user, name);
      sendJson(response, 200, this.#completeness());
    } else {
      await this.#answerView(response, name, url, user, isPost);
    }
  }

  async #answerView(response: ServerResponse, name: string, url: URL, user: string, isReveal: boolean): Promise<void> {
    const view = Object.hasOwn(this.#parts.views, name) ? this.#parts.views[name] : undefined;
    if (view === undefined) throw new RequestError(404, "there is no such view");
    if (this.#questions >= maxQuestions) throw new RequestError(503, "too many questions at once: try again");
    this.#questions += 1;
    try {
      // What cannot be noted is not shown.
      const [answer] = await Promise.all([
        view(url.searchParams, isReveal ? "revealed" : "masked"),
        this.#note(isReveal ? "console.reveal" : "console.look", user, `${name}${url.search}`),
      ]);
      sendJson(response, 200, answer);
    } finally {
      this.#questions -= 1;
    }
  }

  async #stream(request: IncomingMessage, response: ServerResponse, url: URL, user: string): Promise<void> {
    if (this.#streams >= maxStreams) throw new RequestError(503, "too many live views at once: close one");
    this.#streams += 1;
    response.on("close", () => {
      this.#streams -= 1;
    });
    await this.#note("console.look", user, "live");
    if (response.destroyed) return;
    const given = request.headers["last-event-id"] ?? url.searchParams.get("after") ?? "";
    streamLive(response, this.#parts.feed, readPlace(String(given)), this.#parts.log);
  }

  async #note(action: Parameters<Audit["write"]>[0], user: string, target: string): Promise<void> {
    try {
      await this.#parts.audit.write(action, user, target);
    } catch (error) {
      const details = { error: errorMessage(error) };
      this.#parts.log.error("audit_failed", details, "A look cannot be written to the trail: nothing is shown");
      throw new RequestError(503, "this look cannot be written to the trail, so nothing is shown");
    }
  }

  #completeness(): CompletenessDetails {
    return { ...this.#parts.feed.completeness(), ...this.#parts.runs.list(Date.now()) };
  }

  #fail(response: ServerResponse, error: unknown): void {
    if (response.headersSent || response.destroyed) {
      response.destroy();
    } else if (error instanceof RequestError) {
      sendJson(response, error.status, { error: error.message });
    } else if (isOptionError(error)) {
      sendJson(response, 400, { error: error.message });
    } else {
      // The database's own words may quote what was asked.
      this.#parts.log.error(
        "history_failed",
        { ...reasonOf(error), error: errorName(error) },
        "The history does not answer",
      );
      sendJson(response, 503, { error: "the history does not answer: see the console's log" });
    }
  }
}

/** What a client sends as a path may be anything. */
function readUrl(path: string | undefined): URL {
  const base = "http://console.invalid";
  return path?.startsWith("/") && URL.canParse(base + path) ? new URL(base + path) : new URL(`${base}/not-found`);
}

function isOptionError(error: unknown): error is TypeError & { readonly code: string } {
  return error instanceof TypeError && "code" in error && String(error.code).startsWith("ERR_OPTION");
}
