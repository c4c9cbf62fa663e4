import type { LossAndGradient, TokenEmbeddings, TokenIds } from '@blip2/interfaces';

import type { Check } from '../check.ts';
import { expectClose, expectEqual, expectRejection, expectTensor, fail } from '../expectations.ts';
import { check, type CheckContext, filled, type LanguageModelSubject } from './check-context.ts';

const TARGETS: readonly TokenIds[] = [[7, 8, 9], [6]];
const PROMPTS: readonly TokenIds[] = [[5], [5, 6]];
/** Change of the loss in a step along the gradient, well above rounding. */
const CHANGE = 1e-3;
/** Relative error of the change, which includes the curvature of the loss. */
const CURVATURE = 0.2;

type Loss = (
  prefix: TokenEmbeddings,
  targets: readonly TokenIds[],
  prompts?: readonly TokenIds[],
) => Promise<LossAndGradient>;

/** Checks of `LanguageModel.lossAndGradient`. A model that does not offer it passes. */
export function lossChecks(subject: LanguageModelSubject): Check[] {
  const lossCheck = (name: string, body: (context: CheckContext, loss: Loss) => Promise<void>): Check =>
    check(subject, `${name}, if it offers them`, async (context) => {
      const { model } = context;
      if (!model.lossAndGradient) return;
      await body(
        context,
        async (prefix, targets, promptIds) =>
          (await model.lossAndGradient?.(prefix, targets, { ...(promptIds && { promptIds }) })) as LossAndGradient,
      );
    });
  return [
    lossCheck('returns a loss, and a gradient in the shape of the prefix', async ({ model }, loss) => {
      const prefix = await model.embed([
        [5, 6, 7],
        [8, 9, 5],
      ]);
      const result = await loss(prefix, TARGETS, PROMPTS);
      expectTensor(result.prefixGradient, prefix.dims, 'gradient of the prefix');
      expectEqual(result.targetCount, 4, 'number of targets');
    }),
    lossCheck('returns the loss of the next token after a prompt', async ({ model, own, tolerance }, loss) => {
      const prefix = await model.embed([[5, 6, 7]]);
      const { logits } = own(await model.start({ inputsEmbeds: prefix, attentionMask: [filled(3, 1)] }));
      const highest = Math.max(...logits.data);
      const total = logits.data.reduce((sum, logit) => sum + Math.exp(logit - highest), 0);
      const expected = highest + Math.log(total) - (logits.data[8] ?? NaN);
      expectClose([(await loss(prefix, [[8]])).loss], [expected], tolerance, 'loss of a single target');
    }),
    lossCheck('returns a gradient that is the slope of the loss', async ({ model }, loss) => {
      const prefix = await model.embed([[5, 6, 7]]);
      const { prefixGradient } = await loss(prefix, [[8, 9]]);
      const squares = prefixGradient.data.reduce((sum, value) => sum + value * value, 0);
      if (squares === 0) fail('gradient of the prefix', 'other values than 0', '0');
      const moved = async (step: number): Promise<number> => {
        const data = prefix.data.map((value, at) => value + (step / squares) * (prefixGradient.data[at] ?? NaN));
        return (await loss({ ...prefix, data }, [[8, 9]])).loss;
      };
      const change = ((await moved(CHANGE)) - (await moved(-CHANGE))) / 2;
      expectClose([change], [CHANGE], { absolute: 0, relative: CURVATURE }, 'change of the loss along its gradient');
    }),
    lossCheck('returns equal gradients for rows alone and in a batch', async ({ model, tolerance }, loss) => {
      const prefix = await model.embed([
        [5, 6, 7],
        [8, 9, 5],
      ]);
      const batch = await loss(prefix, TARGETS, PROMPTS);
      const size = prefix.data.length / 2;
      for (const [row, targets] of TARGETS.entries()) {
        const [start, end] = [row * size, (row + 1) * size];
        const dims = [1, prefix.dims[1], prefix.dims[2]] as const;
        const alone = await loss(
          { type: 'float32', dims, data: prefix.data.slice(start, end) },
          [targets],
          [PROMPTS[row] ?? []],
        );
        const share = alone.targetCount / batch.targetCount;
        const expected = alone.prefixGradient.data.map((value) => value * share);
        expectClose(batch.prefixGradient.data.subarray(start, end), expected, tolerance, `gradient of row ${row}`);
      }
    }),
    lossCheck('refuses rows without targets', async ({ model }, loss) => {
      const prefix = await model.embed([[5, 6, 7]]);
      await expectRejection(() => loss(prefix, [[]]), 'a row without targets', 'INVALID_ARGUMENT');
    }),
  ];
}
