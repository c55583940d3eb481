/** Planted bugs of who may do what: accounts, bearer tokens, sealed secrets, slow uploads. */
import type { Mutant } from "./mutant.ts";

const authorization = ["test/http/authorization.test.ts"];
const bearer = ["test/http/bearer.test.ts"];
const accounts = ["test/service/accounts.test.ts"];

export const accountMutants: readonly Mutant[] = [
  {
    name: "one-verb-not-authorised",
    what: "anybody with an account deletes from anybody's bucket",
    file: "src/http/authorize.ts",
    find: 'if (route.name === "ListBuckets" || route.name === "CreateBucket") return;',
    replace:
      'if (route.name === "ListBuckets" || route.name === "CreateBucket") return;\n' +
      '      if (route.name === "DeleteObject") {\n' +
      "        exchange.bucket = exchange.edge.service.buckets.find(exchange.target.bucket);\n" +
      "        return;\n" +
      "      }",
    killedBy: authorization,
  },
  {
    name: "slow-upload-not-authorised-again",
    what: "an upload that outlives its bucket lands in another account's of the same name",
    file: "src/http/authorize.ts",
    find: "if (exchange.bucket === undefined) return;",
    replace: "if (exchange.bucket !== undefined) return;",
    killedBy: authorization,
  },
  {
    name: "bearer-in-clear-text-from-afar",
    what: "a secret that everybody on the way could read is accepted",
    file: "src/http/authenticate.ts",
    find: "if (!isConfidential(incoming.socket)) {",
    replace: "if (!isConfidential(incoming.socket) && header === '') {",
    killedBy: bearer,
  },
  {
    name: "bearer-secret-not-compared",
    what: "a bearer token needs no secret",
    file: "src/s3/bearer.ts",
    find: "if (isSame(token.slice(colon + 1), source.secretKey)) return source;",
    replace: "if (isSame(source.secretKey, source.secretKey)) return source;",
    killedBy: bearer,
  },
  {
    name: "seal-not-checked",
    what: "a sealed secret opens under any key, as other bytes",
    file: "src/service/sealing.ts",
    find: "return Buffer.concat([plain, decipher.final()]);",
    replace: "return plain;",
    killedBy: accounts,
  },
  {
    name: "wrong-master-key-seals-anew",
    what: "a mistaken master key goes unnoticed until somebody needs the sealed copies",
    file: "src/service/accounts.ts",
    find: "if (isLost && given !== undefined && !isNew) return undefined;",
    replace: "",
    killedBy: accounts,
  },
  {
    name: "broken-certificate-used",
    what: "a half written pair of TLS files ends all new connections",
    file: "src/adapters/tls-files.ts",
    find: "        check(pair);\n        this.#pair = pair;",
    replace: "        this.#pair = pair;",
    killedBy: ["test/adapters/tls-files.test.ts"],
  },
  {
    name: "cors-for-a-longer-host",
    what: "a page of another host is let in because its name begins as an allowed one",
    file: "src/s3/cors.ts",
    find: "if (star < 0) return pattern === text;",
    replace: "if (star < 0) return text.startsWith(pattern);",
    killedBy: ["test/http/cors.test.ts"],
  },
];
