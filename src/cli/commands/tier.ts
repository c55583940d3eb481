/**
 * `thermocline tier ...`: how the cold tier of the running server is, and what can be asked of it.
 *
 * Actions take as long as they take; what they say on the way goes to standard error, what they came to, to
 * standard output. They go on while this command waits: ended by Ctrl-C, they stop at a good place, and the
 * same command goes on from there. Exit 1 if something is left that is not as it should be.
 */
import { endWith } from "../admin-answer.ts";
import { adminAction, adminRequest } from "../admin-request.ts";
import { exitCodes } from "../cli-context.ts";
import type { CliContext } from "../cli-context.ts";
import { outputOption } from "../command.ts";
import type { Command, CommandCall, CommandOption } from "../command.ts";
import { load } from "../load.ts";
import { statusTable } from "./status.ts";
import type { TierOutcome } from "../../service/tier-api.ts";

const allOption: CommandOption = {
  name: "all",
  description: "everything, the open segment too, whatever the policy says; ends when nothing is left to do",
};
const deepOption: CommandOption = {
  name: "deep",
  description: "read every object back and hash it; that costs requests and time",
};
const repairOption: CommandOption = { name: "repair", description: "mend what can be mended" };

export const tierStatus: Command = {
  name: "tier status",
  summary: "how the cold tier is: what is there, what waits, what is wrong",
  options: [outputOption],
  takesSettings: true,
  run: async (context, call) => {
    const { config } = load(context, { argv: call.argv, command: "status" });
    const answer = await adminRequest(config, { path: "/-/tier/status" });
    return endWith(context, answer, (body) => {
      context.write(isJson(call) ? `${JSON.stringify(body, undefined, 2)}\n` : statusTable(body));
      return exitCodes.done;
    });
  },
};

export const tierOffload: Command = {
  name: "tier offload",
  summary: "upload, verify and free now what the policy wants, or everything",
  options: [allOption, outputOption],
  takesSettings: true,
  run: (context, call) => act(context, call, { path: "offload", query: flags(call, allOption) }),
};

export const tierRecall: Command = {
  name: "tier recall",
  summary: "bring back to the disk what a bucket or a prefix needs",
  argument: { name: "<bucket[/prefix]>", example: "photos/2026/" },
  options: [outputOption],
  takesSettings: true,
  run: (context, call) => {
    const target = call.argument.replace(/^s3:\/\//, "");
    const slash = target.indexOf("/");
    const [bucket, prefix] = slash < 0 ? [target, ""] : [target.slice(0, slash), target.slice(slash + 1)];
    return act(context, call, { path: "recall", query: { bucket, ...(prefix === "" ? {} : { prefix }) } });
  },
};

export const tierAudit: Command = {
  name: "tier audit",
  summary: "compare the bucket with what should be there: missing, orphaned and corrupt objects",
  options: [deepOption, repairOption, outputOption],
  takesSettings: true,
  run: (context, call) =>
    act(context, call, {
      path: "audit",
      query: { ...flags(call, deepOption), ...flags(call, repairOption) },
    }),
};

export const tierAdopt: Command = {
  name: "tier adopt",
  summary: "take over what a restore left with its parent, so that its prefix may go",
  options: [outputOption],
  takesSettings: true,
  run: (context, call) => act(context, call, { path: "adopt", query: {} }),
};

function flags(call: CommandCall, { name }: CommandOption): Readonly<Record<string, string>> {
  return call.options.has(name) ? { [name]: "true" } : {};
}

function isJson(call: CommandCall): boolean {
  return call.options.get("output") === "json";
}

async function act(
  context: CliContext,
  call: CommandCall,
  action: { readonly path: string; readonly query: Readonly<Record<string, string>> },
): Promise<number> {
  const { config } = load(context, { argv: call.argv, command: "status" });
  const { query } = action;
  const answer = await adminAction(config, { path: `/-/tier/${action.path}`, query }, (line) =>
    context.writeError(`${line}\n`),
  );
  return endWith(context, answer, (body) => {
    const { ok, lines } = body as TierOutcome;
    const asText = lines.map((line) => `${line}\n`).join("");
    context.write(isJson(call) ? `${JSON.stringify(body, undefined, 2)}\n` : asText);
    return ok ? exitCodes.done : exitCodes.failed;
  });
}
