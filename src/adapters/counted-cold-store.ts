/**
 * Tells of each call to a cold store what a bucket would have seen of it, for stores that make no requests: a
 * folder is free, and still it shows what the same traffic would cost elsewhere. One that fails is told with
 * the status that S3 would have answered.
 */
import { unreachable } from "../base/assert.ts";
import type {
  ColdCall,
  ColdEntry,
  ColdGet,
  ColdHead,
  ColdOperation,
  ColdPut,
  ColdRequest,
  ColdStore,
  ColdStored,
  OnColdRequest,
} from "../ports/cold-store.ts";
import { isColdError } from "../ports/cold-store.ts";

/** As many as S3 puts into one answer. */
const LISTED_MAX = 1000;

type Asked = { readonly operation: ColdOperation; readonly key: string };
type Moved = Partial<Pick<ColdRequest, "sentBytes" | "receivedBytes" | "status">>;

export class CountedColdStore implements ColdStore {
  readonly place: string;
  readonly #store: ColdStore;
  readonly #onRequest: OnColdRequest;

  constructor(store: ColdStore, onRequest: OnColdRequest) {
    this.#store = store;
    this.#onRequest = onRequest;
    this.place = store.place;
  }

  async check(call: ColdCall = {}): Promise<void> {
    await this.#told({ operation: "list", key: "" }, this.#store.check(call), () => ({}));
  }

  async put(key: string, body: Uint8Array | readonly Uint8Array[], put: ColdPut): Promise<ColdStored> {
    return await this.#put(key, this.#store.put(key, body, put));
  }

  async putFile(key: string, path: string, put: ColdPut): Promise<ColdStored> {
    return await this.#put(key, this.#store.putFile(key, path, put));
  }

  async putStream(key: string, source: AsyncIterable<Uint8Array>, put: ColdPut): Promise<ColdStored> {
    return await this.#put(key, this.#store.putStream(key, source, put));
  }

  async #put(key: string, putting: Promise<ColdStored>): Promise<ColdStored> {
    return await this.#told({ operation: "put", key }, putting, ({ bytes }) => ({ sentBytes: bytes }));
  }

  async get(key: string, get: ColdGet = {}): Promise<Uint8Array> {
    const getting = this.#store.get(key, get);
    return await this.#told({ operation: "get", key }, getting, ({ length }) => ({ receivedBytes: length }));
  }

  async head(key: string, call: ColdCall = {}): Promise<ColdHead | undefined> {
    return await this.#told({ operation: "head", key }, this.#store.head(key, call), (found) =>
      found === undefined ? { status: 404 } : {},
    );
  }

  async *list(prefix: string, list: ColdCall & { readonly after?: string } = {}): AsyncIterable<ColdEntry> {
    const asked = { operation: "list", key: prefix } as const;
    let listed = 0;
    try {
      for await (const entry of this.#store.list(prefix, list)) {
        if (listed++ % LISTED_MAX === 0) this.#tell(asked, {});
        yield entry;
      }
    } catch (error) {
      this.#tell(asked, { status: statusOf(error) });
      throw error;
    }
    if (listed === 0) this.#tell(asked, {});
  }

  async delete(keys: readonly string[], call: ColdCall = {}): Promise<void> {
    const deleting = this.#store.delete(keys, call);
    const status = await deleting.then(
      () => 204,
      (error: unknown) => statusOf(error),
    );
    for (const key of keys) this.#tell({ operation: "delete", key }, { status });
    await deleting;
  }

  async close(): Promise<void> {
    await this.#store.close();
  }

  async #told<Result>(
    asked: Asked,
    work: Promise<Result>,
    movedOf: (result: Result) => Moved,
  ): Promise<Result> {
    try {
      const result = await work;
      this.#tell(asked, movedOf(result));
      return result;
    } catch (error) {
      this.#tell(asked, { status: statusOf(error) });
      throw error;
    }
  }

  #tell(asked: Asked, moved: Moved): void {
    this.#onRequest({ ...asked, status: 200, sentBytes: 0, receivedBytes: 0, ...moved });
  }
}

function statusOf(error: unknown): number {
  if (!isColdError(error)) return 0;
  switch (error.code) {
    case "COLD_MISSING":
      return 404;
    case "COLD_REFUSED":
      return 403;
    case "COLD_UNAVAILABLE":
      return 503;
    case "COLD_DAMAGED":
      return 200;
    default:
      return unreachable(error);
  }
}
