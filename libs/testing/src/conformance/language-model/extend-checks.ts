import { type Check, EXACT } from '../check.ts';
import { expectClose, expectEqual, expectTensor, rowOf } from '../expectations.ts';
import { check, type LanguageModelSubject, positionOf } from './check-context.ts';

/** Checks of `Decoding.extend`. */
export function extendChecks(subject: LanguageModelSubject): Check[] {
  return [
    check(subject, 'extends by several tokens as by single tokens', async ({ model, start, tolerance }) => {
      const [together, single] = [await start([5, 6], [7]), await start([5, 6], [7])];
      const all = await together.extend({
        ids: [
          [7, 8, 9],
          [9, 5, 8],
        ],
        logits: 'all',
      });
      expectTensor(all, [2, 3, model.vocabularySize], 'logits of every position');
      for (const position of [0, 1, 2]) {
        const one = await single.extend({ ids: [[[7, 8, 9][position]!], [[9, 5, 8][position]!]] });
        expectTensor(one, [2, 1, model.vocabularySize], 'logits of one position');
        for (const row of [0, 1])
          expectClose(positionOf(all, row, position), rowOf(one, row), tolerance, `row ${row}, position ${position}`);
      }
      expectEqual(together.length, single.length, 'length after three tokens');
    }),
    check(subject, 'keeps the logits of the last position', async ({ start }) => {
      const decoding = await start([5, 6]);
      const all = await decoding.extend({ ids: [[7, 8]], logits: 'all' });
      expectClose(decoding.logits.data, positionOf(all, 0, 1), EXACT, 'logits after an extension by several');
      const last = await decoding.extend({ ids: [[9]] });
      expectClose(decoding.logits.data, last.data, EXACT, 'logits after an extension by one');
    }),
    check(subject, 'extends by embeddings as by their ids', async ({ model, start, tolerance }) => {
      if (model.architecture === 'seq2seq') return;
      const byIds = await (await start([5, 6])).extend({ ids: [[7, 8]], logits: 'all' });
      const byEmbeddings = await (
        await start([5, 6])
      ).extend({ inputsEmbeds: await model.embed([[7, 8]]), logits: 'all' });
      expectClose(byEmbeddings.data, byIds.data, tolerance, 'logits after embeddings');
    }),
    check(subject, 'extends a prompt as if it were one prompt', async ({ model, start, tolerance }) => {
      if (model.architecture === 'seq2seq') return;
      const parts = await (await start([5, 6])).extend({ ids: [[7, 8, 9]] });
      expectClose(parts.data, (await start([5, 6, 7, 8, 9])).logits.data, tolerance, 'logits after the second part');
    }),
    check(subject, 'ignores the padding of an extension', async ({ model, start, tolerance }) => {
      if (model.architecture === 'seq2seq') return;
      const decoding = await start([5, 6], [7, 8]);
      const texts = [[9], [6, 5, 8], [7, 7]];
      const parents = [1, 0, 1];
      const first = await decoding.extend({
        ids: [
          [0, 0, 9],
          [6, 5, 8],
          [0, 7, 7],
        ],
        attentionMask: [
          [0, 0, 1],
          [1, 1, 1],
          [0, 1, 1],
        ],
        parents,
      });
      const second = await decoding.extend({ ids: [[5], [6], [7]] });
      for (const [row, text] of texts.entries()) {
        const alone = await start(
          [
            [5, 6],
            [7, 8],
          ][parents[row]!]!,
        );
        expectClose(
          rowOf(first, row),
          (await alone.extend({ ids: [text] })).data,
          tolerance,
          `row ${row} after padding`,
        );
        expectClose(
          rowOf(second, row),
          (await alone.extend({ ids: [[5 + row]] })).data,
          tolerance,
          `row ${row} after one more token`,
        );
      }
    }),
    check(subject, 'reorders, repeats and drops rows by parents', async ({ model, start, tolerance }) => {
      const prompts = [[5, 6], [7], [8, 9]];
      const decoding = await start(...prompts);
      const parents = [2, 0, 0, 2];
      const moved = await decoding.extend({ ids: [[5], [6], [7], [8]], parents });
      expectTensor(moved, [4, 1, model.vocabularySize], 'logits after reordering rows');
      const dropped = await decoding.extend({ ids: [[9]], parents: [3] });
      for (const [row, parent] of parents.entries()) {
        const alone = await start(prompts[parent]!);
        expectClose(
          rowOf(moved, row),
          (await alone.extend({ ids: [[5 + row]] })).data,
          tolerance,
          `row ${row}, which continues row ${parent}`,
        );
        if (row === 3)
          expectClose(dropped.data, (await alone.extend({ ids: [[9]] })).data, tolerance, 'the only remaining row');
      }
    }),
  ];
}
