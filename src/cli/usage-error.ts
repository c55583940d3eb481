/**
 * A command line that cannot be understood: one line on standard error, exit 2.
 *
 * Wrong settings have an error of their own (config/config-error.ts) and end the same way.
 */
export class UsageError extends Error {
  override readonly name = "UsageError";
  readonly code = "usage";
}
