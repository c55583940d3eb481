/**
 * Writes tar archives for tests, damaged ones among them: each entry is a head with whatever it is told to
 * hold, and blocks. Nothing of the reader is used.
 */

const BLOCK_BYTES = 512;
const END_BYTES = 2 * BLOCK_BYTES;

export type TarOptions = {
  readonly type?: string;
  /** Instead of the length of the body. */
  readonly size?: number;
  readonly prefix?: string;
  readonly magic?: string;
  /** Bytes that are written into the head before it is summed, by offset. */
  readonly patches?: Readonly<Record<number, Buffer>>;
};

function blocks(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((BLOCK_BYTES - (bytes.length % BLOCK_BYTES)) % BLOCK_BYTES)]);
}

export function tarEntry(
  name: string | Buffer,
  body: Buffer | string = "",
  options: TarOptions = {},
): Buffer {
  const bytes = Buffer.from(body);
  const head = Buffer.alloc(BLOCK_BYTES);
  Buffer.from(name).copy(head, 0, 0, 100);
  head.write("0000644\0", 100, "latin1");
  head.write(`${(options.size ?? bytes.length).toString(8).padStart(11, "0")}\0`, 124, "latin1");
  head.write("00000000000\0", 136, "latin1");
  head.write(options.type ?? "0", 156, "latin1");
  head.write(options.magic ?? "ustar\x0000", 257, "latin1");
  head.write(options.prefix ?? "", 345, "utf8");
  for (const [offset, patch] of Object.entries(options.patches ?? {})) patch.copy(head, Number(offset));
  head.fill(" ", 148, 156);
  const sum = head.reduce((total, byte) => total + byte, 0);
  head.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return Buffer.concat([head, blocks(bytes)]);
}

export function paxRecord(name: string, value: string): string {
  const rest = Buffer.byteLength(` ${name}=${value}\n`);
  const guess = rest + String(rest).length;
  return `${rest + String(guess).length} ${name}=${value}\n`;
}

/** Records of pax for the entry that follows, or with type "g" for all. */
export function paxHead(records: Readonly<Record<string, string>>, type = "x"): Buffer {
  const text = Object.entries(records).map(([name, value]) => paxRecord(name, value));
  return tarEntry("pax", text.join(""), { type });
}

export function tarOf(...entries: readonly Buffer[]): Buffer {
  return Buffer.concat([...entries, Buffer.alloc(END_BYTES)]);
}
