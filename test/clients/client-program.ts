/**
 * A client that is called as a program: where it is, what it sees of the environment, and its version. What
 * it needs to know of the server is asked for at each call: after a kill the server is somewhere else.
 */
import { strict as assert } from "node:assert";
import { mustRun, plainEnvironment, runProgram } from "../scenario/run-program.ts";
import type { Ended } from "../scenario/run-program.ts";
import type { ClientWorld } from "./client-world.ts";

export type ProgramUnderTest = {
  readonly program: string;
  /** What it must say: the scenario is for this version and no other. */
  readonly version: RegExp;
};

export type Calling = {
  readonly environment?: () => Readonly<Record<string, string>>;
  /** Before the arguments of each call. */
  readonly flags?: () => readonly string[];
};

export class ClientProgram {
  readonly world: ClientWorld;
  readonly #under: ProgramUnderTest;
  readonly #calling: Calling;

  constructor(world: ClientWorld, under: ProgramUnderTest, calling: Calling) {
    this.world = world;
    this.#under = under;
    this.#calling = calling;
  }

  get #environment(): Record<string, string> {
    return plainEnvironment({ HOME: this.world.path("home"), ...this.#calling.environment?.() });
  }

  /** Whatever its outcome. */
  async run(...args: readonly string[]): Promise<Ended> {
    const all = [...(this.#calling.flags?.() ?? []), ...args];
    return await runProgram(this.#under.program, all, { env: this.#environment });
  }

  /** Standard output; an error unless it exits 0. */
  async must(...args: readonly string[]): Promise<Buffer> {
    const all = [...(this.#calling.flags?.() ?? []), ...args];
    return (await mustRun(this.#under.program, all, { env: this.#environment })).out;
  }

  async versionStep(...args: readonly string[]): Promise<void> {
    const { program, version } = this.#under;
    await this.world.tally.step(`${program} is the version that is meant`, async () => {
      const { out, err } = await mustRun(program, args, { env: this.#environment });
      assert.match(`${out.toString()}${err}`, version);
    });
  }
}
