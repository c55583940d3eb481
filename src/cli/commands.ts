/**
 * The commands, in the order in which help lists them. A command that is not built is not here: help promises
 * nothing.
 */
import type { Command } from "./command.ts";
import { configCheck, configShow } from "./commands/config.ts";
import { cost } from "./commands/cost.ts";
import { restore } from "./commands/restore.ts";
import { dev, server } from "./commands/serve.ts";
import { status } from "./commands/status.ts";
import { tierAdopt, tierAudit, tierOffload, tierRecall, tierStatus } from "./commands/tier.ts";
import { verify } from "./commands/verify.ts";
import { version } from "./commands/version.ts";

export const commands: readonly Command[] = [
  dev,
  server,
  status,
  cost,
  tierStatus,
  tierOffload,
  tierRecall,
  tierAudit,
  tierAdopt,
  verify,
  restore,
  configShow,
  configCheck,
  version,
];
