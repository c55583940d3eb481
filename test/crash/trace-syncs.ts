/**
 * The system calls of the real process, as strace saw them: which write carried which record and when it
 * returned, which bytes went to a socket and when they were sent. Everything before an answer must have
 * returned before it.
 */
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { md5 } from "./recorded-client.ts";
import { scratchDirectory } from "./real-directory.ts";
import { ServerProcess } from "./server-process.ts";

export type SyncTrace = {
  readonly puts: number;
  /** Puts whose record and whose answer were both found in the trace. */
  readonly matched: number;
  /** Answers that were sent before the write of their record had returned. */
  readonly early: readonly string[];
  readonly segmentsOpened: number;
  readonly segmentsOpenedWithoutSync: readonly string[];
  /** Writes of LevelDB's log, and the syncs of it. */
  readonly indexWrites: number;
  readonly indexSyncs: number;
};

/** A system call: the places in the trace where it began and returned. */
type Call = { readonly name: string; readonly text: string; readonly began: number; returned: number };

const TRACER = "strace";
const CALLS = "openat,write,writev,pwrite64,pwritev,sendto,sendmsg,fsync,fdatasync";
/** Flushes of the index wait at most so long. */
const FLUSH_MS = 900;

export function hasStrace(): boolean {
  try {
    // Installed is not enough: a container may forbid it.
    execFileSync(TRACER, ["-o", "/dev/null", "true"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

export async function traceSyncs(options: { readonly puts: number }): Promise<SyncTrace> {
  await using scratch = await scratchDirectory();
  const trace = `${scratch.path}/trace`;
  // Detached (-D), so that the process that is spawned, signalled and waited for is the program itself.
  const tracer = [TRACER, "-D", "-f", "-y", "-s", "200000", "-e", `trace=${CALLS}`, "-o", trace];
  const bodies = Array.from({ length: options.puts }, (_, at) =>
    // Letters only, so that strace shows them as they are; longer than what stands in a row.
    Buffer.from(`body-${at}-of-the-trace-`.repeat(40)),
  );
  {
    await using server = await ServerProcess.spawn(`${scratch.path}/data`, tracer);
    await server.ready();
    await server.send("PUT", "/traced");
    for (let at = 0; at < bodies.length; at += 8) {
      const group = bodies.slice(at, at + 8);
      const answers = await Promise.all(
        group.map((body, within) => server.sendKey("PUT", "traced", `key-${at + within}`, body)),
      );
      const refused = answers.find(({ status }) => status !== 200);
      if (refused !== undefined) throw new Error(`a put was answered with ${refused.status}`);
    }
    await sleep(FLUSH_MS);
    await server.end("SIGTERM");
  }
  return judgeTrace(callsOf(await wholeTrace(trace)), bodies);
}

/** The tracer writes its last lines after the program has ended. */
async function wholeTrace(path: string): Promise<string> {
  for (let look = 0; look < 100; look++) {
    const trace = await readFile(path, "latin1");
    if (/\+\+\+ exited with \d+ \+\+\+\n$/.test(trace)) return trace;
    await sleep(100);
  }
  throw new Error("the trace does not end with the program");
}

/** Lines of one thread come in pairs when another one's stand between them. */
function callsOf(trace: string): readonly Call[] {
  const calls: Call[] = [];
  const open = new Map<string, Call>();
  for (const [at, line] of trace.split("\n").entries()) {
    const [, thread = "", rest = ""] = /^(\d+) +(.*)$/s.exec(line) ?? [];
    const resumed = /^<\.\.\. \w+ resumed>/.test(rest);
    if (resumed) {
      const call = open.get(thread);
      if (call !== undefined) call.returned = at;
      open.delete(thread);
      continue;
    }
    const name = /^(\w+)\(/.exec(rest)?.[1];
    if (name === undefined) continue;
    const unfinished = rest.endsWith("<unfinished ...>");
    const call = { name, text: rest, began: at, returned: unfinished ? Number.POSITIVE_INFINITY : at };
    calls.push(call);
    if (unfinished) open.set(thread, call);
  }
  return calls;
}

function judgeTrace(calls: readonly Call[], bodies: readonly Buffer[]): SyncTrace {
  const early: string[] = [];
  const records = calls.filter(({ name, text }) => name.startsWith("pwrite") && text.includes(".seg>"));
  const answers = calls.filter(
    ({ text }) => /^(write|writev|sendto|sendmsg)\(/.test(text) && /HTTP\/1\.1 200/.test(text),
  );
  let matched = 0;
  for (const [at, body] of bodies.entries()) {
    const record = records.find(({ text }) => text.includes(`body-${at}-of-the-trace-`));
    const answer = answers.find(({ text }) => text.includes(md5(body)));
    if (record === undefined || answer === undefined) continue;
    matched++;
    if (record.returned >= answer.began)
      early.push(`key-${at}: written at ${record.returned}, answered at ${answer.began}`);
  }
  const opened = calls.filter(({ name, text }) => name === "openat" && /\.seg", O_RDWR/.test(text));
  const indexLog = /index\/\d+\.log>/;
  return {
    puts: bodies.length,
    matched,
    early,
    segmentsOpened: opened.length,
    segmentsOpenedWithoutSync: opened.map(({ text }) => text).filter((text) => !text.includes("O_DSYNC")),
    indexWrites: calls.filter(({ name, text }) => name === "write" && indexLog.test(text)).length,
    indexSyncs: calls.filter(({ name, text }) => /^f(data)?sync$/.test(name) && indexLog.test(text)).length,
  };
}
