/**
 * One AWS CLI against one server: how it is called, and nothing about what is asked of it. It sees no
 * configuration but its own, and the endpoint as a flag, because older ones do not know AWS_ENDPOINT_URL.
 */
import { mustRun, plainEnvironment, runProgram } from "../scenario/run-program.ts";
import type { Ended } from "../scenario/run-program.ts";
import { credentials } from "../scenario/server-process.ts";
import type { ClientWorld } from "./client-world.ts";

export type CallOptions = { readonly input?: Uint8Array };

export class AwsCli {
  readonly #program: string;
  readonly world: ClientWorld;

  constructor(program: string, world: ClientWorld) {
    this.#program = program;
    this.world = world;
  }

  get #environment(): Record<string, string> {
    return plainEnvironment({
      AWS_ACCESS_KEY_ID: credentials.accessKey,
      AWS_SECRET_ACCESS_KEY: credentials.secretKey,
      AWS_DEFAULT_REGION: "us-east-1",
      AWS_PAGER: "",
      AWS_CONFIG_FILE: this.world.path("home/config"),
      AWS_SHARED_CREDENTIALS_FILE: this.world.path("home/credentials"),
      AWS_EC2_METADATA_DISABLED: "true",
      // A request that works at the second attempt only has failed.
      AWS_MAX_ATTEMPTS: "1",
      HOME: this.world.path("home"),
    });
  }

  #arguments(args: readonly string[]): readonly string[] {
    return ["--endpoint-url", this.world.endpoint, ...args];
  }

  /** Whatever its outcome. */
  async run(args: readonly string[], options: CallOptions = {}): Promise<Ended> {
    return await runProgram(this.#program, this.#arguments(args), { ...options, env: this.#environment });
  }

  /** Standard output; an error unless it exits 0. */
  async must(args: readonly string[], options: CallOptions = {}): Promise<Buffer> {
    const call = { ...options, env: this.#environment };
    return (await mustRun(this.#program, this.#arguments(args), call)).out;
  }

  /** `aws s3 ...`, its lines. */
  async s3(...args: readonly string[]): Promise<readonly string[]> {
    return linesOf(await this.must(["s3", ...args]));
  }

  /** `aws s3api ...`, its answer. */
  async api<Answer>(...args: readonly string[]): Promise<Answer> {
    const out = (await this.must(["s3api", ...args, "--output", "json"])).toString("utf8");
    const answer: Answer = JSON.parse(out.trim() === "" ? "{}" : out);
    return answer;
  }

  async version(): Promise<string> {
    const { out } = await mustRun(this.#program, ["--version"], { env: this.#environment });
    return out.toString("utf8");
  }
}

/** Without empty lines; a line that shows progress is overwritten by the next one. */
export function linesOf(out: Buffer): readonly string[] {
  return out
    .toString("utf8")
    .split(/[\r\n]+/)
    .filter((line) => line.trim() !== "");
}
