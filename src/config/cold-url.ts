/**
 * Where the cold tier lies: `s3://bucket/prefix`, `folder:/path` or `none`.
 *
 * Promises: a bucket name has the shape S3 demands, a prefix has no slash at either end, and a folder is the
 * text as given (relative to the working directory). Whether the place exists and may be written is found out
 * by the adapter that opens it.
 */

export type ColdUrl =
  | { readonly kind: "none" }
  | { readonly kind: "s3"; readonly bucket: string; readonly prefix: string }
  | { readonly kind: "folder"; readonly path: string };

export function parseColdUrl(text: string): ColdUrl | undefined {
  if (text === "none") return { kind: "none" };
  if (text.startsWith("folder:")) {
    const path = text.slice("folder:".length);
    return path === "" ? undefined : { kind: "folder", path };
  }
  const match = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/.exec(text);
  if (match?.[1] === undefined) return undefined;
  const prefix = (match[2] ?? "").replace(/\/$/, "");
  return prefix.startsWith("/") || prefix.includes("//")
    ? undefined
    : { kind: "s3", bucket: match[1], prefix };
}
