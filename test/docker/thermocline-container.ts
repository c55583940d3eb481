/** Our image in a container, at published ports: started, asked, stopped as docker stops it. */
import { randomUUID } from "node:crypto";
import { GenericContainer, Wait, getContainerRuntimeClient } from "testcontainers";
import type { StartedTestContainer, WaitStrategy } from "testcontainers";
import { thermoclineImage } from "./images.ts";

export const rootPair = { accessKey: "container-root", secretKey: "container-root-secret" };

const credentials = { accessKeyId: rootPair.accessKey, secretAccessKey: rootPair.secretKey };

export const rootKeys: Readonly<Record<string, string>> = {
  THERMOCLINE_ROOT_ACCESS_KEY: rootPair.accessKey,
  THERMOCLINE_ROOT_SECRET_KEY: rootPair.secretKey,
};

export type ThermoclineContainer = AsyncDisposable & {
  readonly endpoint: string;
  readonly adminEndpoint: string;
  readonly credentials: typeof credentials;
  readonly container: StartedTestContainer;
  /** What was said on standard output and standard error so far. */
  readonly output: () => string;
  /** `docker stop`: SIGTERM, and SIGKILL ten seconds later; the exit code. */
  readonly stop: () => Promise<number>;
};

type Options = {
  readonly environment?: Readonly<Record<string, string>>;
  /** Name of a volume for /data; without one a fresh volume without a name. */
  readonly volume?: string;
  readonly until?: WaitStrategy;
  readonly files?: readonly { readonly content: string; readonly target: string }[];
};

export async function startThermocline(options: Options = {}): Promise<ThermoclineContainer> {
  const { environment = {}, volume, until = untilReady(), files = [] } = options;
  const said: string[] = [];
  const container = await new GenericContainer(thermoclineImage())
    .withEnvironment({ ...rootKeys, ...environment })
    .withExposedPorts(9000, 9001)
    .withBindMounts(volume === undefined ? [] : [{ source: volume, target: "/data" }])
    .withCopyContentToContainer([...files])
    .withWaitStrategy(until)
    .withLogConsumer((stream) => stream.setEncoding("utf8").on("data", (text: string) => said.push(text)))
    .start();
  const raw = (await getContainerRuntimeClient()).container.getById(container.getId());
  const at = (port: number): string => `http://127.0.0.1:${container.getMappedPort(port)}`;
  return {
    endpoint: at(9000),
    adminEndpoint: at(9001),
    credentials,
    container,
    output: () => said.join(""),
    stop: async () => {
      await raw.stop({ t: 10 });
      return (await raw.inspect()).State.ExitCode;
    },
    [Symbol.asyncDispose]: () => raw.remove({ force: true, v: true }),
  };
}

/** One that ends instead is told from one that is slow. */
function untilReady(): WaitStrategy {
  return Wait.forHttp("/-/ready", 9001, { abortOnContainerExit: true });
}

/** A volume with a name, removed at the end. */
export async function freshVolume(): Promise<AsyncDisposable & { readonly name: string }> {
  const { dockerode } = (await getContainerRuntimeClient()).container;
  const name = `thermocline-test-${randomUUID()}`;
  await dockerode.createVolume({ Name: name });
  return { name, [Symbol.asyncDispose]: () => dockerode.getVolume(name).remove() };
}
