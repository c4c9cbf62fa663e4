import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const BLIP2 = fileURLToPath(new URL('../../../../apps/cli/bin/blip2.js', import.meta.url));

/** A server in a process of its own, so that its memory and its event loop are its own. */
export interface ServedProcess {
  readonly url: string;
  readonly pid: number;
  /** Resident bytes of the server and of the processes of its models. */
  residentBytes(): number;
  /** The values of `/metrics` by name, labels included. */
  metrics(): Promise<ReadonlyMap<string, number>>;
  /** Ends it with SIGTERM and returns its exit code. */
  end(): Promise<number | null>;
}

/** Starts `blip2 serve` on a free port. */
export async function startServer(args: readonly string[]): Promise<ServedProcess> {
  const child = spawn(process.execPath, [BLIP2, 'serve', ...args, '--port', '0', '--quiet'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const url = await listeningAddress(child);
  const pid = child.pid ?? 0;
  return {
    url,
    pid,
    residentBytes: () => [pid, ...childrenOf(pid)].reduce((sum, each) => sum + residentOf(each), 0),
    async metrics() {
      const text = await (await fetch(`${url}/metrics`)).text();
      return new Map(
        text.split('\n').flatMap((line): [string, number][] => {
          const [name, value] = line.split(' ');
          return name && value !== undefined && !line.startsWith('#') ? [[name, Number(value)]] : [];
        }),
      );
    },
    async end() {
      const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
      child.kill('SIGTERM');
      return ended;
    },
  };
}

function listeningAddress(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = '';
    child.stdout?.on('data', (data: Buffer) => {
      output += data.toString();
      const url = /http:\/\/\S+/.exec(output)?.[0];
      if (url !== undefined) resolve(url);
    });
    child.on('exit', (code) => reject(new RangeError(`the server has ended with code ${code}`)));
  });
}

function childrenOf(pid: number): number[] {
  const lines = execFileSync('ps', ['-o', 'pid=,ppid=', '-A'], { encoding: 'utf8' }).trim().split('\n');
  return lines.flatMap((line) => {
    const [child, parent] = line.trim().split(/\s+/).map(Number);
    return child !== undefined && parent === pid ? [child] : [];
  });
}

function residentOf(pid: number): number {
  try {
    return Number(execFileSync('ps', ['-o', 'rss=', '-p', String(pid)], { encoding: 'utf8' })) * 1024;
  } catch {
    // It has ended.
    return 0;
  }
}
