import type { Decoding, LanguageModel, TokenIds } from '@blip2/interfaces';

import type { Check, Tolerance } from '../check.ts';
import { expectClose, expectEqual, expectRejection, expectTensor, rowOf } from '../expectations.ts';
import { check, type CheckContext, type LanguageModelSubject } from './check-context.ts';

/** A row, and a decoding with it alone. */
interface Twin {
  readonly alone: Decoding;
}

/** Checks of `Decoding.append` and of `fork` of some rows. Models without `append` pass. */
export function appendChecks(subject: LanguageModelSubject): Check[] {
  return [
    check(subject, 'appends rows that continue as if they were alone, if it can', async (context) => {
      const { model, start, tolerance } = context;
      const [decoding, other] = [await start([5, 6]), await start([7], [8, 9, 5, 6])];
      if (!decoding.append) return;
      await decoding.extend({ ids: [[9]] });
      const before = other.length;
      await decoding.append(other);
      const longest = Math.max(before, lengthOf(model, [5, 6]) + 1);
      expectEqual(decoding.length, longest, 'length after rows were appended');
      expectEqual(other.length, before, 'length of the decoding that was appended');
      await expectRejection(async () => decoding.logits, 'logits after rows were appended', 'INVALID_STATE');
      const twins = await alone(context, [[5, 6], [7], [8, 9, 5, 6]]);
      await twins[0]!.alone.extend({ ids: [[9]] });
      for (const ids of [
        [[5], [6], [7]],
        [[8], [5], [9]],
      ])
        await expectAlike(context, decoding, twins, ids);
      const { data } = await (await start([7], [8, 9, 5, 6])).extend({ ids: [[6], [7]] });
      expectClose((await other.extend({ ids: [[6], [7]] })).data, data, tolerance, 'the decoding that was appended');
      await expectRejection(() => decoding.append!(other, [2]), 'rows that do not exist', 'INVALID_ARGUMENT');
    }),
    check(subject, 'lets rows that were appended leave, and others join, if it can', async (context) => {
      const { model, start } = context;
      const decoding = await start([5, 6, 7, 8]);
      if (!decoding.append) return;
      await decoding.append(await start([9]));
      let twins = await alone(context, [[5, 6, 7, 8], [9]]);
      await expectAlike(context, decoding, twins, [[5], [6]]);
      // The longer row leaves, and the other one twice continues.
      twins = [twins[1]!, { alone: context.own(await twins[1]!.alone.fork()) }];
      await expectAlike(context, decoding, twins, [[7], [8]], [1, 1]);
      await decoding.append(await start([5, 9], [6, 7]), [1]);
      twins = [...twins, ...(await alone(context, [[6, 7]]))];
      // Enough for a cache to grow, where the model has as many positions.
      const steps = Math.min(30, model.maxPositions - 4);
      for (let step = 0; step < steps; step++) await expectAlike(context, decoding, twins, [[5], [6], [7 + (step % 3)]]);
    }),
    check(subject, 'forks some rows, if it can append', async (context) => {
      const { own, start, tolerance } = context;
      const decoding = await start([5, 6]);
      if (!decoding.append) return;
      await decoding.append(await start([7], [8, 9, 5]));
      const twins = await alone(context, [[5, 6], [7], [8, 9, 5]]);
      await expectAlike(context, decoding, twins, [[5], [6], [7]]);
      const logits = rowOf(decoding.logits, 1).slice();
      const fork = own(await decoding.fork([1]));
      expectClose(fork.logits.data, logits, tolerance, 'logits of a fork of one row');
      expectEqual(fork.length, twins[1]!.alone.length, 'length of a fork of one row');
      await fork.extend({ ids: [[8, 8]] });
      await fork.crop(fork.length - 2);
      const forked = context.own(await twins[1]!.alone.fork());
      await expectAlike(context, fork, [{ alone: forked }], [[9]]);
      await expectAlike(context, decoding, twins, [[6], [7], [8]]);
    }),
  ];
}

async function alone({ start }: CheckContext, prompts: readonly TokenIds[]): Promise<Twin[]> {
  return Promise.all(prompts.map(async (prompt) => ({ alone: await start(prompt) })));
}

/** Extends a decoding, and its rows alone, and compares their logits. */
async function expectAlike(
  { model, tolerance }: { readonly model: LanguageModel; readonly tolerance: Tolerance },
  decoding: Decoding,
  twins: readonly Twin[],
  ids: readonly TokenIds[],
  parents?: readonly number[],
): Promise<void> {
  const logits = await decoding.extend({ ids, ...(parents && { parents }) });
  expectTensor(logits, [twins.length, 1, model.vocabularySize], 'logits of rows that were appended');
  for (const [row, twin] of twins.entries()) {
    const expected = await twin.alone.extend({ ids: [ids[row] ?? []] });
    expectClose(rowOf(logits, row), expected.data, tolerance, `row ${row} of a decoding with appended rows`);
  }
}

/** Positions after a prompt. */
function lengthOf({ architecture }: LanguageModel, prompt: TokenIds): number {
  return architecture === 'causal' ? prompt.length : 1;
}
