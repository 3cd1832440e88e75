import { useEffect, useRef, useState } from "preact/hooks";
import type { ActivityPage } from "../messages.js";
import { askServer } from "./ask-server.js";

/** A page of a view, as far as it is there. */
export interface PageState<Page> {
  readonly page: Page | undefined;
  readonly problem: string;
  readonly isLoading: boolean;
  readonly isRevealed: boolean;
  setRevealed(isRevealed: boolean): void;
  /** Gets the next page, and puts it after what is there. */
  more(): void;
}

/** Asks for a view whenever its query changes. An empty query asks for nothing. */
export function usePage<Page extends ActivityPage>(view: string, query: string): PageState<Page> {
  const [page, setPage] = useState<Page>();
  const [problem, setProblem] = useState("");
  const [isLoading, setLoading] = useState(false);
  // Whoever looks at something else has not revealed that.
  const [revealed, setRevealed] = useState("");
  const isRevealed = query !== "" && revealed === query;

  const leaving = useRef(new AbortController());

  async function load(before: Page | undefined, signal: AbortSignal): Promise<void> {
    setLoading(true);
    setProblem("");
    const params = new URLSearchParams(query);
    if (before?.next !== undefined) params.set("before", before.next);
    try {
      const next = await askServer<Page>(view, params, isRevealed, signal);
      if (signal.aborted) return;
      setPage(before === undefined ? next : { ...next, activities: [...before.activities, ...next.activities] });
    } catch (error) {
      if (signal.aborted) return;
      setPage(before);
      setProblem(error instanceof Error ? error.message : String(error));
    }
    setLoading(false);
  }

  useEffect(() => {
    if (query === "") {
      setPage(undefined);
      setProblem("");
      return undefined;
    }
    const here = new AbortController();
    leaving.current = here;
    void load(undefined, here.signal);
    return () => here.abort();
  }, [view, query, isRevealed]);

  return {
    page,
    problem,
    isLoading,
    isRevealed,
    setRevealed: (on) => setRevealed(on ? query : ""),
    more: () => void load(page, leaving.current.signal),
  };
}
