/**
 * `x-thermocline-consistency` of a request: what a read has to be. One voter answers every read with the
 * latest there is, so nothing follows from it yet; but a word that means nothing must not pass for one.
 */
import { headerText } from "../s3/canonical-request.ts";
import { invalidArgument } from "../s3/errors.ts";
import type { Exchange } from "./exchange.ts";

const NAME = "x-thermocline-consistency";

export function checkAskedConsistency(exchange: Exchange): void {
  const asked = exchange.headers[NAME] === undefined ? undefined : headerText(exchange.headers, NAME);
  if (asked === undefined || asked === "linearizable" || asked === "eventual") return;
  throw invalidArgument(`${NAME} is linearizable or eventual`, NAME, asked);
}
