import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { markVerified } from '@blip2/files';
import { f32, type OnnxModel } from '@blip2/interfaces';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';

import type { OnnxRuntimeTensor } from '../onnxruntime/onnx-runtime.ts';
import { type PrepackedFiles, prepackedFiles } from './prepacked-files.ts';
import { openPrepacked } from './prepacked-session.ts';
import type { RunnableSession } from './recorded-run.ts';
import { verifyPrepacked } from './verify-prepacked.ts';

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'blip2-prepacked-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** Folder of saved files, one per test. */
let packedFolder = '';
let count = 0;
beforeEach(() => {
  packedFolder = join(root, String(count++));
});

function filesOf(graph = Uint8Array.of()): PrepackedFiles {
  const signature = { inputs: { x: f32(1) }, outputs: { y: f32(1) } };
  const model: OnnxModel = { name: 'part', signature, packedFolder, serialize: () => graph };
  const files = prepackedFiles(model, graph);
  if (!files) throw new TypeError('no files');
  return files;
}

const tensor = (...data: number[]): OnnxRuntimeTensor =>
  ({ dims: [data.length], data: Float32Array.from(data) }) as unknown as OnnxRuntimeTensor;

/** A fake onnxruntime whose sessions return a number; saved sessions return the contents of their file. */
function fakeRuntime(saved: number[], { inMemory = [1] }: { readonly inMemory?: number[] } = {}) {
  const events: string[] = [];
  const session = (name: string, y: readonly number[]): RunnableSession => {
    events.push(`open ${name}`);
    return {
      run: () => {
        events.push(`run ${name}`);
        return Promise.resolve({ y: tensor(...y) });
      },
      release: () => {
        events.push(`release ${name}`);
        return Promise.resolve();
      },
    };
  };
  const open = {
    plain: () => Promise.resolve(session('plain', inMemory)),
    prepacked: async (folder?: string) => {
      if (folder !== undefined) {
        await writeFile(join(folder, 'graph.onnx'), '');
        await writeFile(join(folder, 'weights.data'), saved.join(' '));
      }
      return session(folder === undefined ? 'prepacked' : 'written', inMemory);
    },
    saved: async (graph: string) =>
      session(
        'saved',
        (await readFile(join(dirname(graph), 'weights.data'), 'utf8')).split(' ').filter(Boolean).map(Number),
      ),
    copy: ({ data }: OnnxRuntimeTensor) => tensor(...(data as Float32Array)),
  };
  return { open, events };
}

async function use(session: RunnableSession, runs: number): Promise<void> {
  for (let run = 0; run < runs; run++) await session.run({ x: tensor(1) });
  await session.release();
}
const kept = async (): Promise<string[]> =>
  (await readdir(packedFolder)).map((name) => name.replace(/[0-9a-f]{32}/, '#'));

describe('files with equal results', () => {
  test.each(['onLoad', 'afterFirstRun'] as const)('are trusted from then on: %s', async (when) => {
    const first = fakeRuntime([1]);
    await use(await openPrepacked(when, filesOf(), first.open), 3);
    const opened =
      when === 'onLoad'
        ? ['open written', 'run written', 'release written']
        : ['open plain', 'run plain', 'release plain', 'open written', 'release written'];
    // One additional run, and never two sessions with weights on the heap.
    expect(first.events).toEqual([...opened, 'open saved', 'run saved', 'run saved', 'run saved', 'release saved']);
    expect(await kept()).toEqual(['part-#']);

    const second = fakeRuntime([1]);
    await use(await openPrepacked(when, filesOf(), second.open), 2);
    const plainFirst = ['open plain', 'run plain', 'release plain', 'open saved', 'run saved', 'release saved'];
    expect(second.events).toEqual(
      when === 'onLoad' ? ['open saved', 'run saved', 'run saved', 'release saved'] : plainFirst,
    );
  });

  test('are used from the first of repeated runs on, where they exist', async () => {
    const first = fakeRuntime([1]);
    await use(await openPrepacked('afterFirstRun', filesOf(), first.open, true), 2);
    expect(first.events[0]).toBe('open plain');
    const second = fakeRuntime([1]);
    await use(await openPrepacked('afterFirstRun', filesOf(), second.open, true), 2);
    expect(second.events).toEqual(['open saved', 'run saved', 'run saved', 'release saved']);
  });

  test('are trusted if they were compared on release', async () => {
    const { open, events } = fakeRuntime([1]);
    await use(await openPrepacked('onLoad', filesOf(), open), 1);
    expect(events).toEqual([
      'open written',
      'run written',
      'release written',
      'open saved',
      'run saved',
      'release saved',
    ]);
    expect(await filesOf().trusted()).toMatch(/graph\.onnx$/);
  });

  test('are reopened if a folder with a mapped file cannot be renamed', async () => {
    const files = filesOf();
    const { open, events } = fakeRuntime([1]);
    let tries = 0;
    await use(
      await openPrepacked(
        'onLoad',
        { ...files, trust: (folder) => (tries++ === 0 ? Promise.resolve(false) : files.trust(folder)) },
        open,
      ),
      2,
    );
    expect(events.slice(3)).toEqual([
      'open saved',
      'run saved',
      'release saved',
      'open saved',
      'run saved',
      'release saved',
    ]);
  });
});

describe('files with other results', () => {
  const different: readonly (readonly [string, number[], number[]])[] = [
    ['by one bit', [1], [1 + 2 ** -23]],
    ['by NaN', [1], [NaN]],
    ['as both are NaN', [NaN], [NaN]],
    ['by another length', [1], [1, 1]],
    ['by an empty result', [1], []],
  ];
  test.each(different.flatMap((row) => (['onLoad', 'afterFirstRun'] as const).map((when) => [...row, when] as const)))(
    '%s are removed and not tried again: %j %j %s',
    async (_, inMemory, saved, when) => {
      const first = fakeRuntime(saved, { inMemory });
      await use(await openPrepacked(when, filesOf(), first.open), 3);
      expect(first.events.slice(-6)).toEqual([
        'run saved',
        'release saved',
        'open prepacked',
        'run prepacked',
        'run prepacked',
        'release prepacked',
      ]);
      expect(await kept()).toEqual(['part-#.refused']);

      const second = fakeRuntime([1]);
      await use(await openPrepacked(when, filesOf(), second.open), 2);
      expect(second.events.filter((event) => /written|saved/.test(event))).toEqual([]);
      expect(await kept()).toEqual(['part-#.refused']);
    },
  );

  test('do not affect other graphs, and are tried again in another format', async () => {
    await use(await openPrepacked('onLoad', filesOf(), fakeRuntime([2]).open), 2);
    expect(await filesOf(Uint8Array.of(8, 10)).refused()).toBe(false);
    expect(await filesOf().refused()).toBe(true);
    const [note = ''] = await readdir(packedFolder);
    await writeFile(join(packedFolder, note), JSON.stringify({ format: 0 }));
    expect(await filesOf().refused()).toBe(false);
  });
});

describe('files that were changed after they were compared', () => {
  const changes: readonly (readonly [string, (folder: string) => Promise<void>])[] = [
    ['weights with one other bit', async (folder) => writeFile(join(folder, 'weights.data'), '3')],
    ['weights that are zero', async (folder) => writeFile(join(folder, 'weights.data'), Uint8Array.of(0))],
    ['another graph', async (folder) => writeFile(join(folder, 'graph.onnx'), 'graph')],
    ['no graph', async (folder) => rm(join(folder, 'graph.onnx'))],
  ];
  test.each(
    changes.flatMap((change) => (['onLoad', 'afterFirstRun'] as const).map((when) => [...change, when] as const)),
  )('%s: are not opened, but removed with a warning', async (_, change, when) => {
    const warning = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    await use(await openPrepacked(when, filesOf(), fakeRuntime([1]).open), 2);
    const [name = ''] = await readdir(packedFolder);
    const folder = join(packedFolder, name);
    const { atime, mtime } = await stat(join(folder, 'weights.data'));
    expect(await verifyPrepacked(packedFolder)).toEqual([{ folder, state: 'ok' }]);
    await change(folder);
    await utimes(join(folder, 'weights.data'), atime, mtime);
    expect(await verifyPrepacked(packedFolder)).toEqual([{ folder, state: 'damaged' }]);

    const { open, events } = fakeRuntime([1]);
    await use(await openPrepacked(when, filesOf(), open), 2);
    expect(events.slice(0, 4)).toEqual(
      when === 'onLoad'
        ? ['open written', 'run written', 'release written', 'open saved']
        : ['open plain', 'run plain', 'release plain', 'open written'],
    );
    expect(warning).toHaveBeenCalledOnce();
    warning.mockRestore();
    expect(await verifyPrepacked(packedFolder)).toEqual([{ folder, state: 'ok' }]);
  });

  test('are found by verifyPrepacked if they changed without a trace since they were verified', async () => {
    await use(await openPrepacked('onLoad', filesOf(), fakeRuntime([1]).open), 2);
    const [name = ''] = await readdir(packedFolder);
    const folder = join(packedFolder, name);
    const file = join(folder, 'weights.data');
    await writeFile(file, '0');
    await markVerified({ file, record: join(folder, 'verified') });
    expect(await verifyPrepacked(packedFolder)).toEqual([{ folder, state: 'damaged' }]);
    expect(await filesOf().known()).toBe(false);
    vi.spyOn(process, 'emitWarning').mockImplementationOnce(() => undefined);
    expect(await filesOf().trusted()).toBeUndefined();
    expect(await readdir(packedFolder)).toEqual([]);
  });
});

describe('files that cannot be used', () => {
  test('are not written without a run to compare with', async () => {
    const { open, events } = fakeRuntime([1]);
    const failing = {
      ...open,
      plain: async () => ({ ...(await open.plain()), run: () => Promise.reject(new Error('bad input')) }),
    };
    const session = await openPrepacked('afterFirstRun', filesOf(), failing);
    await expect(session.run({})).rejects.toThrow('bad input');
    await session.run({});
    expect(events).toEqual(['open plain', 'release plain', 'open prepacked', 'run prepacked']);
  });

  test('leave weights mapped in place if prepacking fails', async () => {
    const { open, events } = fakeRuntime([1]);
    await use(
      await openPrepacked('afterFirstRun', filesOf(), {
        ...open,
        prepacked: () => Promise.reject(new Error('no memory')),
      }),
      3,
    );
    expect(events).toEqual([
      'open plain',
      'run plain',
      'release plain',
      'open plain',
      'run plain',
      'run plain',
      'release plain',
    ]);
    expect(await kept()).toEqual([]);
  });

  test('are neither trusted nor refused if another process removed them', async () => {
    const { open, events } = fakeRuntime([1]);
    const session = await openPrepacked('onLoad', filesOf(), open);
    await session.run({});
    await rm(packedFolder, { recursive: true });
    await use(session, 1);
    expect(events.slice(-3)).toEqual(['open prepacked', 'run prepacked', 'release prepacked']);
    expect([await filesOf().trusted(), await filesOf().refused()]).toEqual([undefined, false]);
  });

  test('are written again if they were trusted and are damaged', async () => {
    await use(await openPrepacked('onLoad', filesOf(), fakeRuntime([1]).open), 2);
    const { open, events } = fakeRuntime([1]);
    let opened = 0;
    const damaged = {
      ...open,
      saved: (graph: string) => (opened++ === 0 ? Promise.reject(new Error('no graph')) : open.saved(graph)),
    };
    await use(await openPrepacked('onLoad', filesOf(), damaged), 2);
    expect(events.slice(0, 4)).toEqual(['open written', 'run written', 'release written', 'open saved']);
    expect(await kept()).toEqual(['part-#']);
  });

  test('are ignored without a manifest, or with that of a version without comparison or checksums', async () => {
    await use(await openPrepacked('onLoad', filesOf(), fakeRuntime([1]).open), 2);
    const [folder = ''] = await readdir(packedFolder);
    await rm(join(packedFolder, folder, 'compared.json'));
    expect(await filesOf().trusted()).toBeUndefined();
    await writeFile(join(packedFolder, folder, 'size.json'), JSON.stringify({ bytes: 1 }));
    await writeFile(join(packedFolder, folder, 'compared.json'), JSON.stringify({ bytes: 1 }));
    expect(await filesOf().trusted()).toBeUndefined();
    await use(await openPrepacked('onLoad', filesOf(), fakeRuntime([1]).open), 2);
    expect((await readdir(join(packedFolder, folder))).toSorted()).toEqual([
      'compared.json',
      'graph.onnx',
      'verified',
      'weights.data',
    ]);
  });
});
