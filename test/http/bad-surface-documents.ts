/**
 * Documents that are none, for every operation that reads one; and documents whose values have another type
 * than the schema says.
 */
import type { BadKind, BadWorld, Refusal } from "./bad-surface.ts";

type Document = {
  readonly of: string;
  readonly method: "PUT" | "POST";
  readonly url: string | ((world: BadWorld) => string);
  readonly root: string;
  /** What stands inside of the root. */
  readonly inner: string;
};

const complete = ({ uploadId }: BadWorld): string => `/bucket/upload?uploadId=${uploadId}`;
const RULE = "<AllowedOrigin>*</AllowedOrigin><AllowedMethod>PUT</AllowedMethod>";

const documents: readonly Document[] = [
  {
    of: "DeleteObjects",
    method: "POST",
    url: "/bucket?delete",
    root: "Delete",
    inner: "<Object><Key>kept</Key></Object>",
  },
  {
    of: "CompleteMultipartUpload",
    method: "POST",
    url: complete,
    root: "CompleteMultipartUpload",
    inner: "<Part><PartNumber>1</PartNumber><ETag>0</ETag></Part>",
  },
  {
    of: "PutBucketVersioning",
    method: "PUT",
    url: "/bucket?versioning",
    root: "VersioningConfiguration",
    inner: "<Status>Suspended</Status>",
  },
  {
    of: "PutObjectTagging",
    method: "PUT",
    url: "/bucket/kept?tagging",
    root: "Tagging",
    inner: "<TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet>",
  },
  {
    of: "PutBucketTagging",
    method: "PUT",
    url: "/bucket?tagging",
    root: "Tagging",
    inner: "<TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet>",
  },
  {
    of: "PutBucketCors",
    method: "PUT",
    url: "/bucket?cors",
    root: "CORSConfiguration",
    inner: `<CORSRule>${RULE}</CORSRule>`,
  },
  {
    of: "CreateBucket",
    method: "PUT",
    url: "/another-bucket",
    root: "CreateBucketConfiguration",
    inner: "<LocationConstraint>eu-west-1</LocationConstraint>",
  },
];

const LAUGHS = Array.from({ length: 9 }, (_, at) => `<!ENTITY l${at + 1} "${`&l${at};`.repeat(10)}">`).join(
  "",
);

/** Each makes a bad document of a good one. */
const spoiled: readonly (readonly [what: string, of: (document: Document) => string | Buffer])[] = [
  ["a DOCTYPE", ({ root, inner }) => `<!DOCTYPE ${root}><${root}>${inner}</${root}>`],
  [
    "an external entity",
    ({ root, inner }) =>
      `<!DOCTYPE ${root} [<!ENTITY e SYSTEM "file:///etc/passwd">]><${root}>&e;${inner}</${root}>`,
  ],
  [
    "entities that multiply",
    ({ root, inner }) => `<!DOCTYPE ${root} [<!ENTITY l0 "ha">${LAUGHS}]><${root}>&l9;${inner}</${root}>`,
  ],
  ["an entity nobody declared", ({ root, inner }) => `<${root}>${inner.replace("</", "&nbsp;</")}</${root}>`],
  ["a bare ampersand", ({ root, inner }) => `<${root}>${inner.replace("</", " & </")}</${root}>`],
  ["a character no XML has", ({ root, inner }) => `<${root}>${inner.replace("</", "&#0;</")}</${root}>`],
  ["a processing instruction", ({ root, inner }) => `<${root}><?php echo 1 ?>${inner}</${root}>`],
  [
    "a thousand levels",
    ({ root, inner }) => `<${root}>${"<a>".repeat(1000)}${inner}${"</a>".repeat(1000)}</${root}>`,
  ],
  ["a tag that stays open", ({ root, inner }) => `<${root}>${inner}`],
  ["tags that cross", ({ root, inner }) => `<${root}>${inner}</${root.toUpperCase()}>`],
  ["two roots", ({ root, inner }) => `<${root}>${inner}</${root}><${root}>${inner}</${root}>`],
  ["text behind the root", ({ root, inner }) => `<${root}>${inner}</${root}>and more`],
  ["text beside elements", ({ root, inner }) => `<${root}>text${inner}</${root}>`],
  ["another root", ({ inner }) => `<Nonsense>${inner}</Nonsense>`],
  ["an element that is not expected", ({ root, inner }) => `<${root}>${inner}<Nonsense/></${root}>`],
  [
    "elements where text is expected",
    ({ root, inner }) => `<${root}>${inner.replace("</", "<b>1</b></")}</${root}>`,
  ],
  ["JSON", () => '{"Delete":[]}'],
  [
    "what is not UTF-8",
    ({ root, inner }) => Buffer.from(`<${root}>${inner.replace("</", "\xff\xfe</")}</${root}>`, "latin1"),
  ],
  ["UTF-16", ({ root, inner }) => Buffer.from(`\ufeff<${root}>${inner}</${root}>`, "utf16le")],
];

const notWellFormed = documents.flatMap((document) =>
  spoiled.map(([what, of]): BadKind => ({
    group: "documents",
    what: `${document.of} with ${what}`,
    answer: "400 MalformedXML",
    send: (world) => sendDocument(world, document, of(document)),
  })),
);

function sendDocument(world: BadWorld, { method, url }: Document, body: string | Buffer): Promise<Refusal> {
  return world.call({ method, url: typeof url === "string" ? url : url(world), body });
}

function typed(at: number, what: string, inner: string, answer = "400 MalformedXML"): BadKind {
  const document = documents[at] as Document;
  const { root, of } = document;
  const send = (world: BadWorld): Promise<Refusal> =>
    sendDocument(world, document, `<${root}>${inner}</${root}>`);
  return { group: "types", what: `${of} with ${what}`, answer, send };
}

const part = (number: string, etag = "<ETag>0</ETag>"): string =>
  `<Part><PartNumber>${number}</PartNumber>${etag}</Part>`;

const ELEVEN = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

const wrongTypes: readonly BadKind[] = [
  typed(0, "a Quiet that is no boolean", "<Quiet>yes</Quiet><Object><Key>kept</Key></Object>"),
  typed(0, "an object without a key", "<Object><VersionId>null</VersionId></Object>"),
  typed(0, "an empty key", "<Object><Key/></Object>"),
  typed(0, "a key given twice", "<Object><Key>kept</Key><Key>12</Key></Object>"),
  typed(0, "no objects", "<Quiet>true</Quiet>"),
  ...["1e0", "1.0", "0x1", "one", "", "1 1", "Infinity", "\u0661"].map((number) =>
    typed(1, `PartNumber ${JSON.stringify(number)}`, part(number)),
  ),
  ...["0", "-1", "99999999999999999999"].map((number) =>
    typed(1, `PartNumber ${number}`, part(number), "400 InvalidArgument"),
  ),
  typed(1, "a part without an ETag", part("1", "")),
  typed(1, "a part of another ETag", part("1"), "400 InvalidPart"),
  typed(1, "parts out of order", part("2") + part("1"), "400 InvalidPartOrder"),
  typed(1, "no parts", ""),
  ...["enabled", "true", "Disabled"].map((status) =>
    typed(2, `Status ${JSON.stringify(status)}`, `<Status>${status}</Status>`),
  ),
  typed(2, "no Status", "", "400 IllegalVersioningConfigurationException"),
  typed(3, "a tag without a value", "<TagSet><Tag><Key>k</Key></Tag></TagSet>"),
  typed(3, "a tag with an empty key", "<TagSet><Tag><Key/><Value>v</Value></Tag></TagSet>", "400 InvalidTag"),
  typed(
    3,
    "a key that comes twice",
    "<TagSet><Tag><Key>k</Key><Value>1</Value></Tag><Tag><Key>k</Key><Value>2</Value></Tag></TagSet>",
    "400 InvalidTag",
  ),
  typed(
    3,
    "eleven tags",
    `<TagSet>${ELEVEN.map((at) => `<Tag><Key>k${at}</Key><Value/></Tag>`).join("")}</TagSet>`,
    "400 BadRequest",
  ),
  ...["-1", "1.5", "abc", "1e3", "99999999999"].map((age) =>
    typed(5, `MaxAgeSeconds ${age}`, `<CORSRule>${RULE}<MaxAgeSeconds>${age}</MaxAgeSeconds></CORSRule>`),
  ),
  typed(5, "no rules", ""),
  typed(
    5,
    "a method that is none",
    "<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>get</AllowedMethod></CORSRule>",
    "400 InvalidRequest",
  ),
  typed(
    5,
    "two wildcards in an origin",
    "<CORSRule><AllowedOrigin>*.*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>",
    "400 InvalidRequest",
  ),
  typed(
    6,
    "two regions",
    "<LocationConstraint>a</LocationConstraint><LocationConstraint>b</LocationConstraint>",
  ),
];

export const badDocuments: readonly BadKind[] = [...notWellFormed, ...wrongTypes];
