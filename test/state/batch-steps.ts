/** What a batch of arbitrary commands may hold: those that are steps of one, without staged bodies. */
import type { BatchStep, Command } from "../../src/state/command.ts";

export function stepOf(command: Command | undefined): readonly BatchStep[] {
  switch (command?.kind) {
    case "putObject": {
      const { body } = command;
      return body.kind === "stored" ? [] : [{ ...command, body }];
    }
    case "copyObject": {
      const { body } = command;
      return body.kind === "stored" ? [] : [{ ...command, body }];
    }
    case "deleteVersion":
      return [{ ...command, condition: { kind: "none" } }];
    case "deleteObject":
    case "checkObject":
      return [command];
    default:
      return [];
  }
}
