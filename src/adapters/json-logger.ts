/** The Logger port as JSON lines: one object per line, the time first, to a stream such as standard error. */
import type { LogFields, Logger } from "../ports/logger.ts";

const LEVELS = ["debug", "info", "warn", "error"] as const;
export type LogLevel = (typeof LEVELS)[number];

export function jsonLogger(options: {
  readonly level: LogLevel;
  readonly write: (line: string) => void;
}): Logger {
  const least = LEVELS.indexOf(options.level);
  const at = (level: LogLevel): ((message: string, fields?: LogFields) => void) => {
    if (LEVELS.indexOf(level) < least) return () => undefined;
    return (message, fields) => {
      const line = { time: new Date().toISOString(), level, message, ...fields };
      options.write(`${JSON.stringify(line)}\n`);
    };
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
