import { describe, expect, test } from 'vitest';

import type { OnnxRuntimeTensor } from '../onnxruntime/onnx-runtime.ts';
import { firstThenLater, type Stages } from './first-then-later.ts';
import type { RecordedRun, RunnableSession } from './recorded-run.ts';

interface Made {
  readonly session: RunnableSession;
  readonly events: string[];
  readonly recorded: (RecordedRun | undefined)[];
}

function made({
  runFirst = () => Promise.resolve({}),
  ...stages
}: Partial<Stages> & { readonly runFirst?: RunnableSession['run'] } = {}): Made {
  const events: string[] = [];
  const recorded: (RecordedRun | undefined)[] = [];
  const noted = (name: string, run: RunnableSession['run']): RunnableSession => ({
    run: (feeds) => {
      events.push(`${name} runs`);
      return run(feeds);
    },
    release: () => {
      events.push(`${name} is released`);
      return Promise.resolve();
    },
  });
  const session = firstThenLater({
    first: noted('first', runFirst),
    later: (run) => {
      events.push('later is opened');
      recorded.push(run);
      return Promise.resolve(noted('later', () => Promise.resolve({})));
    },
    ended: (run) => {
      events.push('ended');
      recorded.push(run);
      return Promise.resolve();
    },
    ...stages,
  });
  return { session, events, recorded };
}

/** A minimal tensor. */
function tensor(...data: number[]): OnnxRuntimeTensor {
  return { type: 'float32', dims: [data.length], data: Float32Array.from(data) } as unknown as OnnxRuntimeTensor;
}
const copy = ({ type, dims, data }: OnnxRuntimeTensor): OnnxRuntimeTensor =>
  ({ type, dims, data: data.slice() }) as unknown as OnnxRuntimeTensor;

describe('firstThenLater', () => {
  test('runs once, releases that session, then opens the other one once', async () => {
    const { session, events } = made();
    for (let run = 0; run < 3; run++) await session.run({});
    expect(events).toEqual(['first runs', 'first is released', 'later is opened', 'later runs', 'later runs']);
    await session.release();
    expect(events.at(-1)).toBe('later is released');
  });

  test('does not open the other one for a single run, and calls `ended` after the release', async () => {
    const { session, events } = made();
    await session.run({});
    await session.release();
    expect(events).toEqual(['first runs', 'first is released', 'ended']);
  });

  test('opens the other one ahead of the second run, but not before the first', async () => {
    const { session, events } = made();
    await session.settle?.();
    expect(events).toEqual([]);
    await session.run({});
    await Promise.all([session.settle?.(), session.settle?.()]);
    expect(events).toEqual(['first runs', 'first is released', 'later is opened']);
    await session.run({});
    await session.settle?.();
    await session.release();
    expect(events.slice(3)).toEqual(['later runs', 'later is released']);
  });

  test('opens it once for concurrent runs', async () => {
    const { session, events } = made();
    await Promise.all([session.run({}), session.run({}), session.run({})]);
    expect(events.filter((event) => event === 'later is opened')).toHaveLength(1);
    expect(events.filter((event) => event.endsWith('runs'))).toHaveLength(3);
    expect(events.indexOf('first runs')).toBeLessThan(events.indexOf('first is released'));
  });

  test('passes on copies of the first run, which the caller cannot change', async () => {
    const [x, y] = [tensor(1, 2), tensor(3)];
    const { session, recorded } = made({ record: copy, runFirst: () => Promise.resolve({ y }) });
    const results = await session.run({ x });
    expect(results['y']).toBe(y);
    for (const { data } of [x, y]) (data as Float32Array).fill(9);
    await session.run({});
    expect(recorded).toEqual([{ feeds: { x: tensor(1, 2) }, results: { y: tensor(3) } }]);
  });

  test('is released without an error if the other one could not be opened', async () => {
    const { session } = made({ later: () => Promise.reject(new Error('no memory')) });
    await session.run({});
    await expect(session.run({})).rejects.toThrow('no memory');
    await session.release();
  });

  test('passes on nothing if the first run failed or is not recorded', async () => {
    const failing = made({ record: copy, runFirst: () => Promise.reject(new Error('no memory')) });
    await expect(failing.session.run({})).rejects.toThrow('no memory');
    await failing.session.run({});
    const unrecorded = made();
    await unrecorded.session.run({});
    await unrecorded.session.release();
    expect([failing.recorded, unrecorded.recorded]).toEqual([[undefined], [undefined]]);
  });
});
