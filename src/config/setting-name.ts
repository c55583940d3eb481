/**
 * The three spellings of a setting's name, each made from its place in the schema and from nothing else.
 *
 *     s3.addr                 --s3-addr                  THERMOCLINE_S3_ADDR
 *     limits.bytesInFlightMax --limits-bytes-in-flight-max THERMOCLINE_LIMITS_BYTES_IN_FLIGHT_MAX
 *
 * A name is a row of words: dots and capitals divide the file's spelling, hyphens the flag's, underscores the
 * variable's. Two names with the same words are the same name, so the file may also group what is written
 * flat here (`root: {accessKey: ...}` for `rootAccessKey`), or write `s3.addr:` as one key.
 */

export const environmentPrefix = "THERMOCLINE_";

/** Words in lower case, joined by one blank: the identity behind all spellings. */
export type Words = string;

export function wordsOfKey(key: string): Words {
  return key.replaceAll(/[A-Z]/g, ".$&").toLowerCase().split(".").join(" ");
}

export function wordsOfFlag(flag: string): Words {
  return flag.slice(2).split("-").join(" ");
}

export function wordsOfVariable(variable: string): Words {
  return variable.slice(environmentPrefix.length).toLowerCase().split("_").join(" ");
}

export function flagOf(words: Words): string {
  return `--${words.replaceAll(" ", "-")}`;
}

export function variableOf(words: Words): string {
  return environmentPrefix + words.replaceAll(" ", "_").toUpperCase();
}
