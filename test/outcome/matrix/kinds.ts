export const kinds = ["unary", "client_streaming", "server_streaming", "bidi_streaming"] as const;
export type Kind = (typeof kinds)[number];

/** Every response message of the account service looks like this. */
export interface Reply {
  revision: number;
  note: string;
}

export function reply(init: Partial<Reply> = {}): Reply {
  return { revision: 1, note: "", ...init };
}
