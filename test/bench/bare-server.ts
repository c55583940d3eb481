/**
 * The control of the HTTP benches: node:http that answers a fixed 4 KiB to GET and swallows the body of a
 * PUT.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const body = Buffer.alloc(4096, 120);
const server = createServer((request, response) => {
  if (request.method === "GET") {
    response.writeHead(200, ["Content-Length", "4096", "Content-Type", "application/octet-stream"]);
    response.end(body);
    return;
  }
  request.on("data", () => undefined);
  request.on("end", () => {
    response.writeHead(200, ["Content-Length", "0"]);
    response.end();
  });
});
server.listen(0, "127.0.0.1", () => {
  process.stdout.write(`listening ${(server.address() as AddressInfo).port}\n`);
});
