/** Which images the tests run: those that run-docker.ts has made, or others that the environment names. */

/** Of this checkout. */
export function thermoclineImage(): string {
  return named("THERMOCLINE_IMAGE");
}

/** The published one, or a local program in an image of its own. */
export function minioImage(): string {
  return named("MINIO_IMAGE");
}

/** Without them nothing is left out: it fails. */
function named(variable: string): string {
  const image = process.env[variable] ?? "";
  if (image === "") throw new Error(`${variable} is not set; run node test/docker/run-docker.ts`);
  return image;
}
