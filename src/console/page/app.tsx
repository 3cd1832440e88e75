import type { ComponentType, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Viewer } from "../messages.js";
import { followLinks, useAddress } from "./address.js";
import { askServer } from "./ask-server.js";
import { ChangesView } from "./changes-view.js";
import { CompletenessBar } from "./completeness-bar.js";
import { CompletenessView } from "./completeness-view.js";
import { type LiveState, LiveStore } from "./live-store.js";
import { LiveView } from "./live-view.js";
import { SearchView } from "./search-view.js";
import { SessionView } from "./session-view.js";

/** What each view is given. */
export interface ViewProps {
  readonly query: URLSearchParams;
  readonly live: LiveState;
}

const views: readonly { readonly path: string; readonly title: string; readonly view: ComponentType<ViewProps> }[] = [
  { path: "/", title: "Live", view: LiveView },
  { path: "/session", title: "Session", view: SessionView },
  { path: "/search", title: "Search", view: SearchView },
  { path: "/changes", title: "Changes", view: ChangesView },
  { path: "/completeness", title: "Completeness", view: CompletenessView },
];

const store = new LiveStore();

function useLive(): LiveState {
  const [state, setState] = useState(store.state);
  useEffect(() => store.listen(setState), []);
  return state;
}

function useViewer(): Viewer | undefined {
  const [viewer, setViewer] = useState<Viewer>();
  useEffect(() => {
    store.start();
    void askServer<Viewer>("viewer", new URLSearchParams(), false).then(setViewer, () => undefined);
  }, []);
  return viewer;
}

/** The whole page. */
export function App(): JSX.Element {
  const { path, query } = useAddress();
  const live = useLive();
  const viewer = useViewer();
  useEffect(() => {
    document.addEventListener("click", followLinks);
    return () => document.removeEventListener("click", followLinks);
  }, []);
  const heading = useRef<HTMLHeadingElement>(null);
  const isFirst = useRef(true);
  const { title, view: View } = views.find((one) => one.path === path) ?? { title: "Live", view: LiveView };
  useEffect(() => {
    document.title = `${title} · Session activity`;
    // Whoever opens the page begins at its top. Whoever goes to another view begins with that.
    if (!isFirst.current) heading.current?.focus();
    isFirst.current = false;
  }, [title]);
  return (
    <div class="page">
      <a class="skip" href="#content">
        Skip to the content
      </a>
      <header>
        <nav aria-label="Views">
          {views.map((one) => (
            <a key={one.path} href={one.path} aria-current={one.path === path ? "page" : undefined}>
              {one.title}
            </a>
          ))}
        </nav>
        <Who viewer={viewer} />
      </header>
      <CompletenessBar live={live} />
      <ConnectionNotice live={live} />
      <main id="content" tabIndex={-1}>
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        <View query={query} live={live} />
      </main>
    </div>
  );
}

function Who({ viewer }: { viewer: Viewer | undefined }): JSX.Element | null {
  if (viewer === undefined) return null;
  return (
    <p class="who">
      You are {viewer.user}.{" "}
      {viewer.audited
        ? `What you look at is written to the topic ${viewer.topic}.`
        : "What you look at is not written down."}
    </p>
  );
}

const notices: Readonly<Record<LiveState["connection"], string>> = {
  connecting: "",
  live: "",
  away: "The console does not answer. This page tries again every second, and goes on by itself.",
  locked:
    "The console was started anew, and does not know this browser. Open the address that it has printed in another tab: then this page goes on.",
};

function ConnectionNotice({ live }: { live: LiveState }): JSX.Element {
  const gap = live.hasGap
    ? "The console was started anew: what came in between is not shown here. Look for it in Search."
    : "";
  const notice = notices[live.connection] || gap;
  return (
    <p role="status" class={notice === "" ? "" : "notice"}>
      {notice}
    </p>
  );
}
