import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { afterAll, expect, test } from 'vitest';

const fixture = fileURLToPath(new URL('../worker/fixtures/run-once.mjs', import.meta.url));
const loader = fileURLToPath(new URL('../../../../tools/testing/test-loader.mjs', import.meta.url));
const home = await mkdtemp(join(tmpdir(), 'blip2-home-'));
afterAll(() => rm(home, { recursive: true }));

test.each(['inline', 'worker'])(
  'a session %s outlives a long command line and leaves no files of onnxruntime',
  async (isolate) => {
    const env: NodeJS.ProcessEnv = { ...process.env, HOME: home, TMPDIR: home, XDG_CACHE_HOME: home };
    delete env['ORT_DISABLE_TELEMETRY'];
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--import', loader, fixture, isolate, 'x'.repeat(100_000)],
      { env },
    );
    expect(stdout).toBe('2 -6');
    expect(await readdir(home)).toEqual([]);
  },
);
