/** Settings of buckets and accounts, as the rows have them and as the model has them, in one shape. */
import { keys } from "../../src/state/keys.ts";
import { rows } from "../../src/state/rows.ts";
import type { StateModel } from "./state-model.ts";

type Settings = {
  /** By the place of the row behind `setting/`. */
  readonly settings: Readonly<Record<string, string>>;
  readonly accounts: Readonly<Record<string, string>>;
  readonly dataKey: string | undefined;
};

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");

export function settingsInRows(all: ReadonlyMap<string, Uint8Array>): Settings {
  const under = <Value>(prefix: string, read: (row: Uint8Array) => Value): Readonly<Record<string, Value>> =>
    Object.fromEntries(
      [...all]
        .filter(([key]) => key.startsWith(prefix))
        .map(([key, row]) => [key.slice(prefix.length), read(row)]),
    );
  const dataKey = all.get(keys.meta("dataKey"));
  return {
    settings: under("setting/", (row) => rows.setting.decode(row).document),
    accounts: under("account/", (row) => hex(rows.account.decode(row).sealedSecret)),
    dataKey: dataKey === undefined ? undefined : hex(rows.dataKey.decode(dataKey).sealedKey),
  };
}

export function settingsInModel(model: StateModel): Settings {
  const settings = [...model.buckets.values()].flatMap(({ id, settings: own }) =>
    [...own].map(([name, document]) => [`${id.toString(36).padStart(6, "0")}/${name}`, document] as const),
  );
  return {
    settings: Object.fromEntries(settings),
    accounts: Object.fromEntries(model.accounts),
    dataKey: model.dataKey,
  };
}
