/**
 * One signed GET to the admin API of the server that this configuration describes.
 *
 * Promises: an answer, a refusal or "nobody there" within the deadline, as a value; no socket stays open.
 * A connection of its own, because a command lives for one request. With TLS, what answers has to show the
 * very certificate that the settings name: its names need not fit the address that is dialled.
 */
import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import * as http from "node:http";
import type { IncomingMessage } from "node:http";
import * as https from "node:https";
import type { TLSSocket } from "node:tls";
import { text } from "node:stream/consumers";
import { formatAddress } from "../config/address.ts";
import type { Address } from "../config/address.ts";
import type { Config } from "../config/config.ts";
import { signRequest } from "./sign-request.ts";

export type AdminAnswer =
  | { readonly kind: "answered"; readonly body: unknown }
  | { readonly kind: "refused"; readonly status: number; readonly message: string }
  | { readonly kind: "unreachable"; readonly message: string };

/** Long enough for a busy server, short enough for a person. */
const deadlineMs = 5000;

export async function adminRequest(config: Config, path: string): Promise<AdminAnswer> {
  const address = dialled(config.admin.addr);
  const { certFile } = config.tls;
  const place = `${certFile === undefined ? "http" : "https"}://${formatAddress(address)}${path}`;
  try {
    const certificate = certFile === undefined ? undefined : new X509Certificate(await readFile(certFile));
    const response = await get(config, address, { path, certificate });
    return await readAnswer(place, response);
  } catch (error) {
    const reason = error instanceof Error ? codeOf(error) : String(error);
    const mend = "is the server running, and is THERMOCLINE_ADMIN_ADDR the one it was started with?";
    return { kind: "unreachable", message: `${place}: cannot be reached (${reason}); ${mend}` };
  }
}

/** A server that listens everywhere is dialled at home. */
function dialled(address: Address): Address {
  if (address.host === "0.0.0.0") return { ...address, host: "127.0.0.1" };
  return address.host === "::" ? { ...address, host: "::1" } : address;
}

function get(
  config: Config,
  address: Address,
  target: { readonly path: string; readonly certificate: X509Certificate | undefined },
): Promise<IncomingMessage> {
  const { path, certificate } = target;
  const headers = signRequest({
    method: "GET",
    host: formatAddress(address),
    path,
    region: config.region,
    accessKey: config.rootAccessKey ?? "",
    secretKey: config.rootSecretKey ?? "",
    now: new Date(),
  });
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const signal = AbortSignal.timeout(deadlineMs);
  const options = { host: address.host, port: address.port, path, headers, agent: false, signal } as const;
  const request =
    certificate === undefined
      ? http.request(options, resolve)
      : pinned(https.request({ ...options, rejectUnauthorized: false }, resolve), certificate);
  request.on("error", reject).end();
  return promise;
}

/** Nothing is sent to whoever shows another certificate. */
function pinned(request: http.ClientRequest, certificate: X509Certificate): http.ClientRequest {
  return request.on("socket", (socket) => {
    const tls = socket as TLSSocket;
    tls.once("secureConnect", () => {
      if (tls.getPeerX509Certificate()?.fingerprint256 === certificate.fingerprint256) return;
      tls.destroy(new Error("it shows another certificate than tls.certFile"));
    });
  });
}

async function readAnswer(place: string, response: IncomingMessage): Promise<AdminAnswer> {
  const status = response.statusCode ?? 0;
  const body = await text(response);
  if (status === 200) {
    const parsed = parseJson(body);
    if (parsed !== undefined) return { kind: "answered", body: parsed };
    return {
      kind: "refused",
      status,
      message: `${place}: the answer is not JSON; is this Thermocline's admin address?`,
    };
  }
  const mend = status === 403 ? "; is the root pair the one the server was started with?" : "";
  return { kind: "refused", status, message: `${place}: the server answered ${status}${mend}` };
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    // Whatever answered there, it is not our admin API: the caller says so.
    return undefined;
  }
}

function codeOf(error: Error): string {
  if (error.name === "TimeoutError" || error.name === "AbortError")
    return `no answer within ${deadlineMs / 1000}s`;
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}
