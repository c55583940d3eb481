/**
 * The members of a cluster as one line: `n1=10.0.0.1:9002,n2=10.0.0.2:9002`.
 *
 * Promises: ids are well-formed and named once, addresses are named once, and every port is a real one
 * (nobody can dial port 0). Whether this node is among them is a question across settings
 * (check-together.ts).
 */
import type { Address } from "./address.ts";
import { formatAddress, parseAddress } from "./address.ts";

export interface Peer {
  readonly id: string;
  readonly address: Address;
}

/** Also the shape of `nodeId`: it becomes part of file names and object keys. */
export const nodeIdShape = /^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/;

export function parsePeers(text: string): readonly Peer[] | undefined {
  const peers: Peer[] = [];
  for (const item of text.split(",")) {
    const [id = "", place = "", ...rest] = item.trim().split("=");
    const address = parseAddress(place);
    if (!nodeIdShape.test(id) || address === undefined || address.port === 0 || rest.length > 0)
      return undefined;
    peers.push({ id, address });
  }
  const ids = new Set(peers.map((peer) => peer.id));
  const places = new Set(peers.map((peer) => formatAddress(peer.address)));
  return ids.size === peers.length && places.size === peers.length ? peers : undefined;
}
