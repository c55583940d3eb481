/**
 * `thermocline restore`: makes a data directory from the bucket alone, offline.
 *
 * Exit 0 when it is done, 1 when it is not (what is missing stands on standard error), 2 for a mistake in the
 * call, 3 when the bucket cannot be reached. What was begun goes on when the same command is given again.
 */
import { unreachable } from "../../base/assert.ts";
import { parseColdUrl } from "../../config/cold-url.ts";
import type { ColdUrl } from "../../config/cold-url.ts";
import { ColdUnavailableError } from "../../ports/cold-store.ts";
import type { RestoreTarget } from "../../offload/restore-plan.ts";
import { parseIsoDate } from "../../s3/dates.ts";
import { exitCodes } from "../cli-context.ts";
import type { CliContext } from "../cli-context.ts";
import { outputOption } from "../command.ts";
import type { Command, CommandCall, CommandOption } from "../command.ts";
import { load } from "../load.ts";
import { progressLine, reportLines } from "../restore-text.ts";
import { UsageError } from "../usage-error.ts";

const options: readonly CommandOption[] = [
  { name: "from", takes: "a cold tier URL", description: "s3://bucket/prefix or folder:/path" },
  {
    name: "to",
    takes: "a time or a manifest",
    description: "an earlier state: 2026-11-21T10:00:00Z, or the key of a manifest; the newest if left out",
  },
  { name: "dry-run", description: "say what would be restored, and do nothing" },
  { name: "accept-gap", description: "restore what is there although something that should be is not" },
  { name: "lineage", takes: "a name", description: "which one, where the bucket holds several that go on" },
  { name: "cluster", takes: "a name", description: "which one, where the bucket holds several" },
  outputOption,
];

export const restore: Command = {
  name: "restore",
  summary: "make a data directory from the cold tier alone; goes on where it was interrupted",
  options,
  takesSettings: true,
  run: async (context, call) => {
    const from = fromOf(call);
    const wish = {
      target: targetOf(call.options.get("to")),
      acceptGap: call.options.has("accept-gap"),
      ...lineageOf(call),
    };
    const { config } = load(context, { argv: call.argv, command: "restore" });
    const main = await context.loadMain();
    try {
      const report = await main.runRestore(config, {
        from,
        wish,
        cluster: call.options.get("cluster"),
        dryRun: call.options.has("dry-run"),
        progress: (progress) => context.writeError(`${progressLine(progress)}\n`),
      });
      return print(context, call, report);
    } catch (error) {
      if (!(error instanceof ColdUnavailableError)) throw error;
      context.writeError(`thermocline: ${error.message}\n`);
      return exitCodes.unreachable;
    }
  },
};

function print(context: CliContext, call: CommandCall, report: Parameters<typeof reportLines>[0]): number {
  const isRefused = report.kind === "refused";
  if (call.options.get("output") === "json") {
    context.write(`${JSON.stringify(report, undefined, 2)}\n`);
    return isRefused ? exitCodes.failed : exitCodes.done;
  }
  const text = reportLines(report)
    .map((line) => `${line}\n`)
    .join("");
  if (isRefused) context.writeError(text);
  else context.write(text);
  return isRefused ? exitCodes.failed : exitCodes.done;
}

function fromOf({ options: given }: CommandCall): ColdUrl {
  const text = given.get("from");
  if (text === undefined)
    throw new UsageError("restore needs --from; write s3://bucket/prefix or folder:/path");
  const url = parseColdUrl(text);
  switch (url?.kind) {
    case "s3":
    case "folder":
      return url;
    case "none":
    case undefined:
      throw new UsageError(`--from: "${text}" is no cold tier; write s3://bucket/prefix or folder:/path`);
    default:
      return unreachable(url);
  }
}

function targetOf(text: string | undefined): RestoreTarget {
  if (text === undefined) return { kind: "newest" };
  if (/\/manifest\/[^/]+\.json$/.test(text)) return { kind: "manifest", key: text };
  const dateMs = parseIsoDate(text);
  if (dateMs !== undefined) return { kind: "time", dateMs };
  throw new UsageError(
    `--to: "${text}" is no time such as 2026-11-21T10:00:00Z and no key of a manifest; ` +
      "restore --dry-run shows one",
  );
}

function lineageOf({ options: given }: CommandCall): { readonly lineage?: string } {
  const lineage = given.get("lineage");
  return lineage === undefined ? {} : { lineage };
}
