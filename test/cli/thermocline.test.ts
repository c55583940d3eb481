/** The program itself, as a process: it prints, sets its exit code, and ends by itself. */
import { execFile } from "node:child_process";
import { describe, expect, test } from "vitest";
import { version } from "../../src/cli/version.ts";

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function thermocline(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const program = new URL("../../src/cli/thermocline.ts", import.meta.url).pathname;
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...argv], { env, timeout: 20_000 }, (error, out, err) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ code, out, err });
    });
  });
}

describe("the program", () => {
  test("prints its version", async () => {
    expect(await thermocline(["version"])).toEqual({ code: 0, out: `${version}\n`, err: "" });
  });

  test("exits 2 on a variable that is not known", async () => {
    expect(await thermocline(["config", "check"], { THERMOCLINE_REGOIN: "x" })).toEqual({
      code: 2,
      out: "",
      err: "thermocline: THERMOCLINE_REGOIN: unknown variable; did you mean THERMOCLINE_REGION?\n",
    });
  });

  test("exits 3 when no server answers", async () => {
    const env = {
      THERMOCLINE_ROOT_ACCESS_KEY: "root-key",
      THERMOCLINE_ROOT_SECRET_KEY: "root-secret",
      THERMOCLINE_ADMIN_ADDR: "127.0.0.1:1",
    };
    expect(await thermocline(["status"], env)).toMatchObject({ code: 3, out: "" });
  });

  test("the default cache is at most a quarter of the machine's memory, and at most 1GiB", async () => {
    const { out } = await thermocline(["config", "show", "-o", "json"]);
    const rows: unknown = JSON.parse(out);
    expect(rows).toContainEqual(
      expect.objectContaining({ name: "cacheBytes", value: expect.stringMatching(/^\d+([KMG]i)?B$/) }),
    );
  });
});
