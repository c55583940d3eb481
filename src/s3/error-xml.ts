/**
 * The one place that turns an S3Error into the document S3 clients read: Code, Message, the error's own
 * fields in their order, then Resource, RequestId and HostId. HEAD, 304 and 204 answers have no body: the
 * edge knows that, this file does not.
 */

import type { S3Error } from "./errors.ts";
import { element, XML_DECLARATION } from "./xml-write.ts";

export type ErrorContext = {
  readonly requestId: string;
  /** The path of the request as the client sees it, `/bucket/key`. */
  readonly resource?: string;
  readonly hostId?: string;
};

export function errorXml(error: S3Error, context: ErrorContext): string {
  let body = element("Code", error.code) + element("Message", error.message);
  for (const [name, value] of Object.entries(error.fields)) body += element(name, value);
  if (context.resource !== undefined) body += element("Resource", context.resource);
  body += element("RequestId", context.requestId);
  if (context.hostId !== undefined) body += element("HostId", context.hostId);
  return `${XML_DECLARATION}<Error>${body}</Error>`;
}
