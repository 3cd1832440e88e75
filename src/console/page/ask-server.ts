/** What the server says no to, in its own words. */
export class ServerRefusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Asks for a view. With `reveal`, personal fields come as they are, and that is noted on the trail. */
export async function askServer<T>(
  view: string,
  query: URLSearchParams,
  reveal: boolean,
  signal?: AbortSignal,
): Promise<T> {
  const response = await fetch(`/api/${view}?${query}`, {
    method: reveal ? "POST" : "GET",
    ...(reveal && { headers: { "content-type": "application/json" } }),
    ...(signal && { signal }),
  });
  const answer = await response.json();
  if (!response.ok) throw new ServerRefusal(response.status, String(answer.error));
  return answer;
}
