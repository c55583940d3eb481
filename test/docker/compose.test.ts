/** The compose files of docker/ do what their first lines say. */
import { CreateBucketCommand } from "@aws-sdk/client-s3";
import { expect, test } from "vitest";
import { openClient } from "./bucket-client.ts";
import { checkFile, composeKeys, composeProject } from "./compose.ts";

const FILES = ["compose.yml", "compose.thermocline-only.yml"] as const;

/** Too large for a row of the index: its bytes are in a segment, here or in the bucket. */
const BODY = "cold below ".repeat(30_000);

test.each(FILES)(
  "%s comes up healthy, moves an object to its cold tier, and has it after down and up",
  async (file) => {
    await using project = await composeProject(file);
    await project.up();
    {
      using client = openClient(project, "lake");
      await client.s3.send(new CreateBucketCommand({ Bucket: "lake" }));
      await client.put("hello.txt", BODY);
      expect(await client.get("hello.txt")).toBe(BODY);
      expect(await client.tierOf("hello.txt")).toBe("hot");
    }
    expect((await fetch(`${project.adminEndpoint}/-/ready`)).status).toBe(200);
    expect(await project.run("logs", "cold-bucket")).toMatch(/make-bucket: cold is at http:/);
    await project.run("exec", "-T", "thermocline", "thermocline", "tier", "offload", "--all");
    // Containers go, and with them what is cached; the volumes stay.
    await project.run("down", "--timeout", "10");
    await project.up();
    using client = openClient(project, "lake");
    expect(await client.tierOf("hello.txt")).toBe("cold");
    expect(await client.get("hello.txt")).toBe(BODY);
  },
);

test.each(
  FILES.flatMap((file) =>
    Object.keys(composeKeys)
      .filter((name) => file === "compose.yml" || name.startsWith("THERMOCLINE_"))
      .map((name) => [file, name] as const),
  ),
)("%s without %s does not start anything, and says which key to set", async (file, missing) => {
  const kept = Object.fromEntries(Object.entries(composeKeys).filter(([name]) => name !== missing));
  const { code, err } = await checkFile(file, kept);
  expect(code).not.toBe(0);
  expect(err).toMatch(/set the (access|secret) key of (root|MinIO)/);
  expect(err).toContain(missing);
  expect((await checkFile(file, composeKeys)).code).toBe(0);
});

test("the bucket is made once, a second time is no failure, and wrong keys are told at once", async () => {
  await using project = await composeProject("compose.yml");
  await project.up();
  const again = await project.run("run", "--rm", "cold-bucket");
  expect(again).toContain("make-bucket: cold is at http://minio:9000");
  const wrong = ["run", "--rm", "-e", "THERMOCLINE_COLD_SECRET_KEY=some-other-secret", "cold-bucket"];
  await expect(project.run(...wrong)).rejects.toThrow(/make-bucket: cold at http:\/\/minio:9000: /);
});
