/** How large something was, counted as it comes; metrics.ts makes a page of it when somebody asks. */
import type { HistogramView } from "./telemetry.ts";

export class SizeHistogram implements HistogramView {
  readonly bounds: readonly number[] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];
  /** Not cumulative; the last one counts what is above all bounds. */
  readonly counts = new Float64Array(this.bounds.length + 1);
  sum = 0;

  record(size: number): void {
    let at = 0;
    while (size > (this.bounds[at] ?? Infinity)) at++;
    this.counts[at] = (this.counts[at] ?? 0) + 1;
    this.sum += size;
  }
}
