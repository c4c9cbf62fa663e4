import { Blip2Error, type PatchFeatures } from '@blip2/interfaces';
import type { Tokenizer } from '@blip2/processor';

import type { InstructBlipPipeline } from '../pipeline/instructblip-pipeline.ts';
import { type ImageBatch, pickRows } from './encoded-image.ts';
import { asUnknownToken } from './known-tokens.ts';

/** Images as the vision encoder leaves them: what the language model reads of them is made for each instruction. */
export function createInstructedBatch(
  { language, qformer, projection }: InstructBlipPipeline,
  tokenizer: Tokenizer,
  patches: PatchFeatures,
): ImageBatch {
  let kept: PatchFeatures | undefined = patches;
  return {
    language,
    readPrefix: undefined,
    async prefixOf(rows, texts) {
      if (!kept) throw new Blip2Error('DISPOSED', 'This image has been disposed of', { fix: 'Encode it again' });
      if (!texts)
        throw new Blip2Error('INVALID_ARGUMENT', 'The Q-Former needs an instruction', {
          where: 'prompt',
          fix: 'Give a prompt or a question',
        });
      const { inputIds, attentionMask } = tokenizer.batchEncode(texts, {
        padding: true,
        paddingSide: 'right',
        escapeSpecialTokens: true,
      });
      const queries = await qformer.query(pickRows(kept, rows), { inputIds, attentionMask }).catch((error: unknown) => {
        throw asUnknownToken(error);
      });
      return projection.project(queries);
    },
    async [Symbol.asyncDispose]() {
      kept = undefined;
    },
  };
}
