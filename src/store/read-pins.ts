/**
 * Bodies that a reader is streaming right now, by body or upload id. Reaping skips them, so an overwritten
 * object is read to its end by those who had begun (RULES.md R12).
 */
export class ReadPins {
  readonly #counts = new Map<string, number>();

  pin(id: string): void {
    this.#counts.set(id, (this.#counts.get(id) ?? 0) + 1);
  }

  unpin(id: string): void {
    const count = this.#counts.get(id) ?? 0;
    if (count > 1) this.#counts.set(id, count - 1);
    else this.#counts.delete(id);
  }

  has(id: string): boolean {
    return this.#counts.has(id);
  }
}
