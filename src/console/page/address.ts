import { useEffect, useState } from "preact/hooks";

/** A view as its address says it. */
export interface Address {
  readonly path: string;
  readonly query: URLSearchParams;
}

const moved = "console-moved";

function current(): Address {
  return { path: location.pathname, query: new URLSearchParams(location.search) };
}

/** The address of a view, without what is empty. */
export function addressOf(path: string, values: Readonly<Record<string, string | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) if (value !== undefined && value !== "") query.set(name, value);
  const text = query.toString();
  return text === "" ? path : `${path}?${text}`;
}

/** Goes to a view. What is only another filter of the same view takes the place of the last one in the browser's history. */
export function goTo(address: string, how: "push" | "replace" = "push"): void {
  if (how === "push") history.pushState(null, "", address);
  else history.replaceState(null, "", address);
  dispatchEvent(new Event(moved));
}

/** Follows the address. */
export function useAddress(): Address {
  const [address, setAddress] = useState(current);
  useEffect(() => {
    const update = (): void => setAddress(current());
    addEventListener("popstate", update);
    addEventListener(moved, update);
    return () => {
      removeEventListener("popstate", update);
      removeEventListener(moved, update);
    };
  }, []);
  return address;
}

/** Lets links to views go there without loading the page anew. */
export function followLinks(event: MouseEvent): void {
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (link === null || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  if (link.origin !== location.origin || link.hasAttribute("download") || link.hash !== "") return;
  event.preventDefault();
  goTo(link.pathname + link.search);
}
