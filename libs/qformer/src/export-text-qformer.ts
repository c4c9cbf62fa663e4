import type { Blip2QFormerConfig } from '@blip2/config';
import type { ExportedGraph } from '@blip2/part';

import { exportQueries, exportQueriesAndText, exportText } from './graph/exported-qformer.ts';
import { expectQueryTokens, type TextQFormerWeights } from './query-tokens.ts';

/** InstructBLIP has one mode. A retrieval model has three: the image alone, the text alone, and both. */
export function exportTextQFormer(
  config: Blip2QFormerConfig,
  { queryTokens, embeddings, norm, ...weights }: TextQFormerWeights,
): readonly ExportedGraph[] {
  expectQueryTokens(queryTokens);
  const part = { config, weights, queryTokens, embeddings, norm };
  if (config.modelType === 'instructblip_qformer') {
    const names = { ids: 'qformer_input_ids', mask: 'qformer_attention_mask' };
    return [{ name: 'qformer_model', model: exportQueriesAndText(part, 'qformer_model', names) }];
  }
  const names = { ids: 'input_ids', mask: 'attention_mask' };
  return [
    { name: 'qformer_model', model: exportQueries(part) },
    { name: 'qformer_text_model', model: exportText(part, names) },
    {
      name: 'qformer_multimodal_model',
      model: exportQueriesAndText(part, 'qformer_multimodal_model', names),
    },
  ];
}
