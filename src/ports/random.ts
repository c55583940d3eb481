/** Randomness: ids and incarnations. The simulator seeds it. */
export interface Random {
  bytes(count: number): Uint8Array;
}
