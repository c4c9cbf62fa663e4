import { expectFinite, mustBe, type PatchFeatures, pickRows } from '@blip2/interfaces';
import type { Tokenizer } from '@blip2/processor';

import type { InstructBlipPipeline } from '../pipeline/instructblip-pipeline.ts';
import { asUnknownToken } from '../pipeline/known-tokens.ts';
import { type ImageBatch, imageDisposed } from './encoded-image.ts';

/** Images as patches of the vision encoder; their embeddings are computed for each instruction. */
export function createInstructedBatch(
  { language, qformer, projection }: Pick<InstructBlipPipeline, 'language' | 'qformer' | 'projection'>,
  tokenizer: Tokenizer,
  patches: PatchFeatures,
): ImageBatch {
  let kept: PatchFeatures | undefined = patches;
  return {
    language,
    readPrefix: undefined,
    get byteLength() {
      return kept?.data.byteLength ?? 0;
    },
    async prefixOf(rows, texts) {
      if (!kept) throw imageDisposed();
      if (!texts)
        throw mustBe('prompt', 'an instruction for the Q-Former', texts, { fix: 'Pass a prompt or a question' });
      const { inputIds, attentionMask } = tokenizer.batchEncode(texts, {
        padding: true,
        paddingSide: 'right',
        escapeSpecialTokens: true,
      });
      const queries = await qformer.query(pickRows(kept, rows), { inputIds, attentionMask }).catch((error: unknown) => {
        throw asUnknownToken(error);
      });
      return expectFinite('language projection', await projection.project(expectFinite('Q-Former', queries)));
    },
    async [Symbol.asyncDispose]() {
      kept = undefined;
    },
  };
}
