/**
 * Sealing of secrets (RULES.md R23): a data key that is random seals the accounts' secrets, and a key derived
 * from the master key's text seals the data key. So a master key is changed by sealing one row again, and
 * the text, which a person may have chosen, costs an attacker a scrypt per guess.
 *
 * AES-256-GCM with a random nonce in front and the tag behind. What a secret belongs to is authenticated with
 * it, so a sealed secret is worth nothing in another account's row.
 */
import { createCipheriv, createDecipheriv, scrypt } from "node:crypto";
import type { Random } from "../ports/random.ts";

const CIPHER = "aes-256-gcm";
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const SALT_BYTES = 16;
/** Some 50 ms and 16 MiB, once per start of a server that has accounts. Stored data depends on them. */
const SCRYPT = { N: 16_384, r: 8, p: 1 } as const;

export type SealedKey = { readonly salt: Uint8Array; readonly sealedKey: Uint8Array };

function seal(key: Uint8Array, plain: Uint8Array, context: string, random: Random): Uint8Array {
  const nonce = random.bytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce, { authTagLength: TAG_BYTES }).setAAD(
    Buffer.from(context),
  );
  const bytes = Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  return Uint8Array.from(bytes);
}

/** `undefined`: another key, another context, or changed bytes; which of them cannot be told. */
function open(key: Uint8Array, sealed: Uint8Array, context: string): Buffer | undefined {
  if (sealed.length < NONCE_BYTES + TAG_BYTES) return undefined;
  const decipher = createDecipheriv(CIPHER, key, sealed.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(Buffer.from(context)).setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
  try {
    const plain = decipher.update(sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES));
    return Buffer.concat([plain, decipher.final()]);
  } catch {
    // The tag does not fit: that is the answer.
    return undefined;
  }
}

async function derive(masterKey: string, salt: Uint8Array): Promise<Buffer> {
  return await new Promise((resolve, reject) => {
    scrypt(masterKey, salt, KEY_BYTES, SCRYPT, (error, key) => (error ? reject(error) : resolve(key)));
  });
}

const KEY_CONTEXT = "thermocline data key";

/** A new data key, and itself sealed. */
export async function makeDataKey(
  masterKey: string,
  random: Random,
): Promise<{ readonly dataKey: Uint8Array; readonly sealed: SealedKey }> {
  const dataKey = random.bytes(KEY_BYTES);
  const salt = Uint8Array.from(random.bytes(SALT_BYTES));
  const sealedKey = seal(await derive(masterKey, salt), dataKey, KEY_CONTEXT, random);
  return { dataKey, sealed: { salt, sealedKey } };
}

/** `undefined`: sealed under another master key. */
export async function openDataKey(masterKey: string, sealed: SealedKey): Promise<Uint8Array | undefined> {
  return open(await derive(masterKey, sealed.salt), sealed.sealedKey, KEY_CONTEXT);
}

type Owner = { readonly accountId: string; readonly accessKey: string };

function contextOf(owner: Owner): string {
  return JSON.stringify(["thermocline account", owner.accountId, owner.accessKey]);
}

export function sealSecret(dataKey: Uint8Array, owner: Owner, secret: string, random: Random): Uint8Array {
  return seal(dataKey, Buffer.from(secret), contextOf(owner), random);
}

export function openSecret(dataKey: Uint8Array, owner: Owner, sealed: Uint8Array): string | undefined {
  return open(dataKey, sealed, contextOf(owner))?.toString("utf8");
}
