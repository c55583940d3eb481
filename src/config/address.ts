/**
 * A listening address, `host:port`, and what can be said about it without asking the network.
 *
 * Promises: the host is a name, an IPv4 address or an IPv6 address (written in brackets, kept without them);
 * the port is 0 to 65535, where 0 lets the system choose. Names are not resolved here: `localhost` counts as
 * loopback because every system ships it so, any other name does not.
 */

export interface Address {
  readonly host: string;
  readonly port: number;
}

export function parseAddress(text: string): Address | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)):(\d{1,5})$/i.exec(text.trim());
  if (match === null) return undefined;
  const port = Number(match[3]);
  const host = match[1] ?? match[2] ?? "";
  if (port > 65_535 || (match[1] !== undefined && !isIpv6(host))) return undefined;
  return isDottedNumber(host) && !isIpv4(host) ? undefined : { host, port };
}

export function formatAddress(address: Address): string {
  return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}

export function isLoopback(address: Address): boolean {
  const host = address.host.toLowerCase();
  return host === "localhost" || host === "::1" || (isIpv4(host) && host.startsWith("127."));
}

/** Listens on every interface. */
export function isWildcard(address: Address): boolean {
  return address.host === "0.0.0.0" || address.host === "::";
}

function isDottedNumber(host: string): boolean {
  return /^[\d.]+$/.test(host);
}

function isIpv4(host: string): boolean {
  const parts = host.split(".");
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255);
}

/** Good enough to catch a slip; the system's own parser has the last word when the address is bound. */
function isIpv6(host: string): boolean {
  const halves = host.split("::");
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === "" ? [] : half.split(":")));
  const last = groups.at(-1);
  const groupCount = last !== undefined && isIpv4(last) ? groups.length + 1 : groups.length;
  const hex = groups.every(
    (group, i) => /^[0-9a-f]{1,4}$/i.test(group) || (i === groups.length - 1 && isIpv4(group)),
  );
  return hex && (halves.length === 2 ? groupCount <= 7 : groupCount === 8);
}
