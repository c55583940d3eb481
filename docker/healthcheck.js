/**
 * HEALTHCHECK of the image, which has no curl: exits 0 if the server of this container says that it is ready,
 * else 1 with the reason. Goes by THERMOCLINE_ADMIN_ADDR and THERMOCLINE_TLS_CERT_FILE; who sets these by a flag
 * or in a file needs a health check of his own.
 */
const address = process.env["THERMOCLINE_ADMIN_ADDR"] ?? "127.0.0.1:9001";
const tls = (process.env["THERMOCLINE_TLS_CERT_FILE"] ?? "") !== "";

const [, host = "", port] = /^(.*):(\d+)$/.exec(address) ?? [];
// A server that listens everywhere is asked at home; few containers have ::1, and [::] takes both.
const home = ["0.0.0.0", "[::]"].includes(host) ? "127.0.0.1" : host.replace(/^\[(.*)\]$/, "$1");
const { get } = await (tls ? import("node:https") : import("node:http"));

// Whose certificate it is does not matter on the way to oneself.
const options = {
  host: home,
  port,
  path: "/-/ready",
  timeout: 4000,
  agent: false,
  rejectUnauthorized: false,
};
const request = get(options, (response) => {
  process.exitCode = response.statusCode === 200 ? 0 : 1;
  response.setEncoding("utf8").on("data", (text) => process.stdout.write(text));
});
request.on("timeout", () => request.destroy(new Error(`no answer from ${address}`)));
request.on("error", (error) => {
  process.stdout.write(`${error.message}\n`);
  process.exitCode = 1;
});
