/** The MinIO program of this machine: MINIO_BINARY, or what `minio/start` finds or builds. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";

export function minioProgram(): string {
  const named = process.env["MINIO_BINARY"];
  if (named !== undefined && named !== "") return named;
  const start = fileURLToPath(new URL("../../minio/start", import.meta.url));
  return execFileSync(start, ["--print-program"], { encoding: "utf8" }).trim();
}
