import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import type { Tensor } from '@blip2/interfaces';
import { describe, expect, test } from 'vitest';

import { createPartHost } from './create-part-host.ts';

const fixture = (name: string): URL => new URL(`./fixtures/${name}`, import.meta.url);
const loader = fileURLToPath(new URL('../../../../tools/testing/test-loader.mjs', import.meta.url));

interface MatMul extends AsyncDisposable {
  readonly size: number;
  run(x: Tensor): Promise<Tensor>;
}
interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly output: string;
  readonly errors: string;
}

/** Runs the fixture in a child process, to observe how it ends. */
function endDuringRun(how: string, isolate = 'worker', file = 'end-during-run.mjs'): Promise<Ended> {
  const child = spawn(process.execPath, ['--import', loader, fileURLToPath(fixture(file)), how, isolate], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      resolve({ code, signal, output, errors });
    });
  });
}

test('runs a real session in a worker', async () => {
  await using host = createPartHost({ isolate: 'worker' });
  const part = await host.create<MatMul>({
    module: fixture('matmul-part.mjs'),
    export: 'createMatMul',
    args: [{ size: 2, rows: 1, repeats: 3 }],
  });
  expect(part.size).toBe(2);
  await expect(part.run({ type: 'float32', dims: [1, 2], data: Float32Array.of(1, -3) })).resolves.toStrictEqual({
    type: 'float32',
    dims: [1, 2],
    data: Float32Array.of(8, -24),
  });
  await expect(part.run({ type: 'float32', dims: [1, 3], data: new Float32Array(3) })).rejects.toMatchObject({
    name: 'Blip2Error',
    code: 'SHAPE_MISMATCH',
  });
});

describe('a process with a part worker', () => {
  test('exits while the worker is idle, even if its host was never disposed', async () => {
    await expect(endDuringRun('idle')).resolves.toEqual({ code: 0, signal: null, output: '', errors: '' });
  });

  test('stays alive until pending runs have finished', async () => {
    const { code, output, errors } = await endDuringRun('nothing');
    expect([code, errors]).toEqual([0, '']);
    // Nothing happens at `act` here. On a busy machine its timer may fire after the first run.
    expect(output.replace('act\n', '')).toMatch(/^ran \d+\nran again\n$/);
  });

  test('exitWhenIdle: finishes the run, rejects the next one, exits with the code', async () => {
    const { code, signal, output, errors } = await endDuringRun('exitWhenIdle');
    expect([code, signal, errors]).toEqual([3, null, '']);
    expect(output).toMatch(/^act\nran \d+\nsecond: DISPOSED\n$/);
  });

  test('exitNow: ends during the run like Ctrl-C, without aborting', async () => {
    const { signal, output, errors } = await endDuringRun('exitNow');
    expect([signal, errors]).toEqual(['SIGINT', '']);
    expect(output).toBe('act\n');
  });

  test.each([
    ['exit during run', 'worker', 7],
    ['exit during creation', 'worker', 7],
    ['throw during run', 'worker', 1],
    ['throw during creation', 'worker', 1],
    ['exit during run', 'process', 7],
    ['throw during creation', 'process', 1],
  ])('%s of a %s: ends with its exit code, without aborting', async (how, isolate, expected) => {
    const { code, signal, output, errors } = await endDuringRun(how, isolate);
    expect([code, signal, output]).toEqual([expected, null, 'act\n']);
    if (how.startsWith('throw')) expect(errors).toContain('RangeError: nobody caught this');
    else expect(errors).toBe('');
  });

  test.each(['loaded', 'not loaded'])(
    'exits during a run in a thread of the caller, with onnxruntime %s on the main thread',
    async (main) => {
      const { code, signal, output, errors } = await endDuringRun(main, undefined, 'end-own-thread.mjs');
      expect([code, signal, output, errors]).toEqual([7, null, 'act\n', '']);
    },
  );

  test('a child process ends with its parent, also during a run', async () => {
    const parent = spawn(process.execPath, ['--import', loader, fileURLToPath(fixture('hold-child.mjs'))], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const child = Number(line.toString());
    expect(isAlive(child)).toBe(true);
    // No handler of the parent is called.
    parent.kill('SIGKILL');
    while (isAlive(child)) await sleep(20);
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // An ended process remains as a zombie where process 1 does not wait for it.
    return process.platform !== 'linux' || !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}
