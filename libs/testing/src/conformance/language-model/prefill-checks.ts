import { type Check, EXACT } from '../check.ts';
import { expectClose, expectDifferent, expectEqual, expectRejection, expectTensor, rowOf } from '../expectations.ts';
import { check, filled, type LanguageModelSubject, promptOf } from './check-context.ts';

/** Maximum size of the prompt in the check of `maxPositions`, in values: 256 MiB of float32. */
const MAX_PROMPT_VALUES = 2 ** 26;

/** Checks of `LanguageModel.embed` and `LanguageModel.start`. */
export function prefillChecks(subject: LanguageModelSubject): Check[] {
  return [
    check(subject, 'returns tensors of the declared widths', async ({ model, start }) => {
      expectTensor(
        await model.embed([
          [5, 6, 7],
          [8, 9, 5],
        ]),
        [2, 3, model.embeddingSize],
        'embeddings',
      );
      const decoding = await start([5, 6, 7], [8, 9, 5]);
      expectTensor(decoding.logits, [2, 1, model.vocabularySize], 'logits of the prompt');
      expectEqual(decoding.length, model.architecture === 'causal' ? 3 : 1, 'length after the prompt');
    }),
    check(subject, 'returns equal logits for equal prompts', async ({ start }) => {
      expectClose((await start([5, 6, 7])).logits.data, (await start([5, 6, 7])).logits.data, EXACT, 'second start');
    }),
    check(subject, 'returns different logits for different prompts', async ({ start }) => {
      expectDifferent((await start([5, 6, 7])).logits.data, (await start([6, 5, 7])).logits.data, 'two prompts');
    }),
    check(subject, 'returns equal logits for a row alone and padded in a batch', async ({ start, tolerance }) => {
      const rows = [[5, 6, 7, 8, 9], [8], [6, 6, 9]];
      const batch = await start(...rows);
      const first = batch.logits;
      const second = await batch.extend({ ids: [[5], [6], [7]] });
      for (const [index, row] of rows.entries()) {
        const alone = await start(row);
        expectClose(rowOf(first, index), alone.logits.data, tolerance, `row ${index} after the prompt`);
        expectClose(
          rowOf(second, index),
          (await alone.extend({ ids: [[5 + index]] })).data,
          tolerance,
          `row ${index} after one more token`,
        );
      }
    }),
    check(subject, 'rejects more positions than maxPositions', async ({ model }) => {
      const positions = model.maxPositions + 1;
      if (positions * model.embeddingSize > MAX_PROMPT_VALUES) return;
      const tooLong =
        model.architecture === 'causal'
          ? {
              inputsEmbeds: {
                type: 'float32',
                dims: [1, positions, model.embeddingSize],
                data: new Float32Array(positions * model.embeddingSize),
              } as const,
              attentionMask: [filled(positions, 1)],
            }
          : { ...(await promptOf(model, [[5]])), decoderInputIds: [filled(positions, 5)] };
      await expectRejection(() => model.start(tooLong), 'a prompt that is too long', 'SEQUENCE_TOO_LONG');
    }),
    check(subject, 'starts the decoder with decoderInputIds', async ({ model, own, start, tolerance }) => {
      if (model.architecture === 'causal') return;
      const prompt = await promptOf(model, [[5, 6, 7]]);
      const startToken = model.specialTokens.decoderStartTokenId ?? model.specialTokens.bosTokenId ?? 0;
      const decoding = own(await model.start({ ...prompt, decoderInputIds: [[startToken, 8, 9]] }));
      const extended = await (await start([5, 6, 7])).extend({ ids: [[8, 9]] });
      expectEqual(decoding.length, 3, 'length of a decoder with three ids');
      expectClose(decoding.logits.data, extended.data, tolerance, 'logits after decoderInputIds');
    }),
  ];
}
