import { isIPv6 } from "node:net";

/** `[address]:port`, or `address:port` if the address has no colon. */
const withPort = /^(?:\[([^\]]*)\](?::\d+)?|([^:]+):\d+)$/;
/** IPv4 in any spelling with dots: decimal, octal or hexadecimal, and with fewer than four parts. */
const ipv4 = /^(?:0x[\da-f]*|\d+)(?:\.(?:0x[\da-f]*|\d+)){1,3}$/i;

/**
 * The network of an address, by its value and not by its spelling: `203.0.113.0/24` or `2001:db8:0:7::/64`. An IPv4 address
 * inside an IPv6 one counts as IPv4. Brackets, ports and zones do not count.
 *
 * Of a list, as X-Forwarded-For is one, the first element that is an address counts: the client, as the proxies say.
 * A text without an address stays as it is.
 */
export function networkOf(text: string): string {
  for (const element of text.split(",")) {
    const network = networkOfOne(element.trim());
    if (network !== undefined) return network;
  }
  return text;
}

function networkOfOne(element: string): string | undefined {
  const [, inBrackets, beforePort] = withPort.exec(element) ?? [];
  const address = (inBrackets ?? beforePort ?? element).split("%", 1)[0] ?? "";
  if (isIPv6(address)) return networkOfGroups(groupsOf(address));
  if (!ipv4.test(address)) return undefined;
  const host = hostOf(address);
  return host === undefined ? undefined : `${host.slice(0, host.lastIndexOf("."))}.0/24`;
}

function networkOfGroups(groups: readonly number[]): string {
  const [, , , , , mark = 0, high = 0, low = 0] = groups;
  const isMapped = mark === 0xffff && groups.slice(0, 5).every((group) => group === 0);
  if (isMapped) return `${high >> 8}.${high & 0xff}.${low >> 8}.0/24`;
  const start = groups.slice(0, 4).map((group) => group.toString(16));
  return `${start.join(":")}::/64`;
}

/** The eight groups of an IPv6 address. */
function groupsOf(address: string): number[] {
  // A URL's host is in one spelling, whatever it was written as.
  const [head = "", tail = ""] = (hostOf(`[${address}]`) ?? "").slice(1, -1).split("::");
  const [start, end] = [head.split(":").filter(Boolean), tail.split(":").filter(Boolean)] as const;
  const gap = Array.from({ length: 8 - start.length - end.length }, () => "0");
  return [...start, ...gap, ...end].map((group) => Number.parseInt(group, 16));
}

function hostOf(address: string): string | undefined {
  const url = `http://${address}`;
  return URL.canParse(url) ? new URL(url).hostname : undefined;
}
