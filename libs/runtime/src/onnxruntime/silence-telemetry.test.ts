import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { afterAll, describe, expect, test } from 'vitest';

const fixture = (name: string): string => fileURLToPath(new URL(`../worker/fixtures/${name}`, import.meta.url));
const loader = fileURLToPath(new URL('../../../../tools/testing/test-loader.mjs', import.meta.url));
const home = await mkdtemp(join(tmpdir(), 'blip2-home-'));
afterAll(() => rm(home, { recursive: true }));

describe.each([
  ['on the main thread', 'run-once.mjs'],
  ['in a thread of the caller', 'run-in-thread.mjs'],
])('%s', (_, program) => {
  test.each(['inline', 'worker', 'process', 'without host'])(
    'a session %s outlives a long command line and leaves no files of onnxruntime',
    async (isolate) => {
      const env: NodeJS.ProcessEnv = { ...process.env, HOME: home, TMPDIR: home, XDG_CACHE_HOME: home };
      delete env['ORT_DISABLE_TELEMETRY'];
      const { stdout } = await promisify(execFile)(
        process.execPath,
        ['--import', loader, fixture(program), isolate, 'x'.repeat(100_000)],
        { env },
      );
      expect(stdout).toBe('2 -6');
      expect(await readdir(home)).toEqual([]);
    },
  );
});
