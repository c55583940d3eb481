/**
 * One signed request to the admin API of the server that this configuration describes.
 *
 * Promises: an answer, a refusal or "nobody there" within the deadline, as a value; no socket stays open.
 * Actions answer in lines and may take hours: only silence ends them. A connection of its own, because a
 * command lives for one request. With TLS, what answers has to show the very certificate that the settings
 * name: its names need not fit the address that is dialled.
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
import type { AdminAnswer } from "./admin-answer.ts";
import { lastLine } from "./read-lines.ts";
import { queryText, signRequest } from "./sign-request.ts";

export type AdminCall = {
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  /** For an answer that takes the server some work. */
  readonly deadlineMs?: number;
};

/** Long enough for a busy server, short enough for a person. */
const DEADLINE_MS = 5000;
/** The server says a word several times within it. */
const SILENCE_MS_MAX = 60_000;

type Target = AdminCall & { readonly method: "GET" | "POST"; readonly place: string };
type Read = (response: IncomingMessage, place: string) => Promise<AdminAnswer>;

export async function adminRequest(config: Config, call: AdminCall): Promise<AdminAnswer> {
  const signal = AbortSignal.timeout(call.deadlineMs ?? DEADLINE_MS);
  return await ask(config, { method: "GET", call, signal, read: readWhole });
}

/** `onProgress` hears each line on the way; the answer is the last one. */
export async function adminAction(
  config: Config,
  call: AdminCall,
  onProgress: (line: string) => void,
): Promise<AdminAnswer> {
  const read: Read = (response, place) => lastLine(response, { place, onProgress });
  return await ask(config, { method: "POST", call, signal: undefined, read });
}

async function ask(
  config: Config,
  how: {
    readonly method: "GET" | "POST";
    readonly call: AdminCall;
    readonly signal: AbortSignal | undefined;
    readonly read: Read;
  },
): Promise<AdminAnswer> {
  const { method, call, signal, read } = how;
  const address = dialled(config.admin.addr);
  const { certFile } = config.tls;
  const place = `${certFile === undefined ? "http" : "https"}://${formatAddress(address)}${call.path}`;
  try {
    const certificate = certFile === undefined ? undefined : new X509Certificate(await readFile(certFile));
    const response = await send(config, { ...call, method, place, address, certificate, signal });
    return response.statusCode === 200 ? await read(response, place) : await readRefusal(response, place);
  } catch (error) {
    const reason = error instanceof Error ? codeOf(error, call) : String(error);
    const mend = "is the server running, and is THERMOCLINE_ADMIN_ADDR the one it was started with?";
    return { kind: "unreachable", message: `${place}: cannot be reached (${reason}); ${mend}` };
  }
}

/** A server that listens everywhere is dialled at home. */
function dialled(address: Address): Address {
  if (address.host === "0.0.0.0") return { ...address, host: "127.0.0.1" };
  return address.host === "::" ? { ...address, host: "::1" } : address;
}

function send(
  config: Config,
  target: Target & {
    readonly address: Address;
    readonly certificate: X509Certificate | undefined;
    readonly signal: AbortSignal | undefined;
  },
): Promise<IncomingMessage> {
  const { method, path, address, certificate, signal } = target;
  const query = queryText(target.query ?? {});
  const headers = signRequest({
    method,
    host: formatAddress(address),
    path,
    query,
    region: config.region,
    accessKey: config.rootAccessKey ?? "",
    secretKey: config.rootSecretKey ?? "",
    now: new Date(),
  });
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const options = {
    host: address.host,
    port: address.port,
    method,
    path: query === "" ? path : `${path}?${query}`,
    headers: method === "POST" ? { ...headers, "content-length": "0" } : headers,
    agent: false,
    timeout: SILENCE_MS_MAX,
    ...(signal === undefined ? {} : { signal }),
  } as const;
  const request =
    certificate === undefined
      ? http.request(options, resolve)
      : pinned(https.request({ ...options, rejectUnauthorized: false }, resolve), certificate);
  request.on("timeout", () => request.destroy(new Error(`no word for ${SILENCE_MS_MAX / 1000}s`)));
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

async function readWhole(response: IncomingMessage, place: string): Promise<AdminAnswer> {
  const parsed = parseJson(await text(response));
  if (parsed !== undefined) return { kind: "answered", body: parsed };
  const message = `${place}: the answer is not JSON; is this Thermocline's admin address?`;
  return { kind: "refused", status: 200, message };
}

/** With the server's own words, if it has any. */
async function readRefusal(response: IncomingMessage, place: string): Promise<AdminAnswer> {
  const status = response.statusCode ?? 0;
  const said = /<Message>([^<]*)<\/Message>/.exec(await text(response))?.[1];
  const words = said === undefined ? "" : `: ${plainText(said)}`;
  const mend = status === 403 ? "; is the root pair the one the server was started with?" : "";
  return { kind: "refused", status, message: `${place}: the server answered ${status}${words}${mend}` };
}

function plainText(xml: string): string {
  const entities = { "&lt;": "<", "&gt;": ">", "&quot;": '"', "&apos;": "'", "&#39;": "'", "&amp;": "&" };
  return xml.replaceAll(/&\w+;|&#39;/g, (entity) => entities[entity as keyof typeof entities] ?? entity);
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    // Whatever answered there, it is not our admin API: the caller says so.
    return undefined;
  }
}

function codeOf(error: Error, { deadlineMs = DEADLINE_MS }: AdminCall): string {
  if (error.name === "TimeoutError" || error.name === "AbortError")
    return `no answer within ${deadlineMs / 1000}s`;
  return "code" in error && typeof error.code === "string" ? error.code : error.message;
}
