/** Addresses: what is one, what is loopback. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { formatAddress, isLoopback, parseAddress } from "../../src/config/address.ts";

test.each([
  ["127.0.0.1:9000", { host: "127.0.0.1", port: 9000 }],
  ["127.0.0.1:0", { host: "127.0.0.1", port: 0 }],
  ["localhost:9000", { host: "localhost", port: 9000 }],
  ["node-1.example.com:65535", { host: "node-1.example.com", port: 65_535 }],
  ["[::1]:9000", { host: "::1", port: 9000 }],
  ["[::]:9000", { host: "::", port: 9000 }],
  ["[2001:db8::7]:9000", { host: "2001:db8::7", port: 9000 }],
  ["[::ffff:10.0.0.1]:9000", { host: "::ffff:10.0.0.1", port: 9000 }],
])("%s is an address", (text, address) => {
  expect(parseAddress(text)).toEqual(address);
  expect(formatAddress(address)).toBe(text);
});

test.each([
  "",
  "localhost",
  ":9000",
  "9000",
  "host:65536",
  "host:-1",
  "host:90a",
  "::1:9000",
  "[::1]",
  "[::1::]:9000",
  "[1:2:3]:9000",
  "[12345::]:9000",
  "[localhost]:9000",
  "256.0.0.1:9000",
  "1.2.3:9000",
  "http://host:9000",
  "ho st:9000",
  "-host:9000",
])("%j is no address", (text) => {
  expect(parseAddress(text)).toBeUndefined();
});

test.each([
  ["127.0.0.1:1", true],
  ["127.9.9.9:1", true],
  ["localhost:1", true],
  ["[::1]:1", true],
  ["0.0.0.0:1", false],
  ["[::]:1", false],
  ["10.0.0.1:1", false],
  ["127.example.com:1", false],
])("%s is loopback: %s", (text, loopback) => {
  const address = parseAddress(text);
  expect(address !== undefined && isLoopback(address)).toBe(loopback);
});

test("what parses is written back so that it parses the same", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.webAuthority(),
        fc.ipV6().map((ip) => `[${ip}]:80`),
      ),
      (text) => {
        const address = parseAddress(text);
        if (address !== undefined) expect(parseAddress(formatAddress(address))).toEqual(address);
      },
    ),
  );
});

test("every IPv4 and IPv6 address with a port is an address", () => {
  fc.assert(
    fc.property(fc.ipV4(), fc.ipV6(), fc.nat(65_535), (ipv4, ipv6, port) => {
      expect(parseAddress(`${ipv4}:${port}`)).toEqual({ host: ipv4, port });
      expect(parseAddress(`[${ipv6}]:${port}`)).toEqual({ host: ipv6, port });
    }),
  );
});
