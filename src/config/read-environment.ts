/**
 * Settings from environment variables: THERMOCLINE_S3_ADDR and its kind.
 *
 * An empty variable counts as not given, as compose files write `${X:-}` for that. Every other variable with
 * the prefix must be known, or a slip of the pen would silently leave a default in place. One family is left
 * alone: Kubernetes invents THERMOCLINE_PORT, THERMOCLINE_SERVICE_HOST, ... beside a service that is named
 * thermocline.
 */
import type { Problem } from "./config-error.ts";
import { didYouMean } from "./nearest-name.ts";
import type { Given, Reading } from "./origin.ts";
import { environmentPrefix, wordsOfVariable } from "./setting-name.ts";
import { findSetting, namesFor } from "./settings.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export function readEnvironment(env: Environment): Reading {
  const given: Given[] = [];
  const problems: Problem[] = [];
  for (const [variable, value] of Object.entries(env)) {
    if (!variable.startsWith(environmentPrefix) || value === undefined || value === "") continue;
    const found = /^[A-Z0-9_]+$/.test(variable) ? findSetting(wordsOfVariable(variable)) : undefined;
    if (found?.setting.sources.includes("environment") === true) {
      const { setting, viaFile } = found;
      given.push({ setting, value, origin: { kind: "environment", name: variable }, viaFile });
    } else if (found !== undefined) {
      const message = "cannot be a variable; write it into the file that THERMOCLINE_CONFIG names";
      problems.push({ code: "wrongSource", where: variable, message });
    } else if (!isServiceLink(variable, value)) {
      const message = `unknown variable${didYouMean(variable, namesFor("environment")) || "; remove it"}`;
      problems.push({ code: "unknownName", where: variable, message });
    }
  }
  return { given, problems };
}

function isServiceLink(variable: string, value: string): boolean {
  if (/_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$/.test(variable)) return true;
  if (/_PORT_\d+_(TCP|UDP)_(PROTO|PORT|ADDR)$/.test(variable)) return true;
  return /_PORT(_\d+_(TCP|UDP))?$/.test(variable) && /^(tcp|udp):\/\//.test(value);
}
