/**
 * How safe what travels on a connection is from the eyes of others: it is encrypted, or it never leaves the
 * machine. What a proxy in front of us does on its other side cannot be seen from here.
 */
import type { IncomingMessage } from "node:http";

type Socket = IncomingMessage["socket"];

export function isEncrypted(socket: Socket): boolean {
  return "encrypted" in socket && socket.encrypted === true;
}

const LOOPBACK = /^(?:::ffff:)?127\.\d+\.\d+\.\d+$/i;

export function isLoopback(address: string | undefined): boolean {
  return address === "::1" || (address !== undefined && LOOPBACK.test(address));
}

/** Whether a secret may travel on it. */
export function isConfidential(socket: Socket): boolean {
  return isEncrypted(socket) || isLoopback(socket.remoteAddress);
}
