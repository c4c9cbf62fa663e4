import type { Blip2Config } from '@blip2/config';
import { Blip2Error } from '@blip2/interfaces';
import type { RecordedWeight } from '@blip2/onnx';
import { matchingHeadTensors, qformerTensors, retrievalProjectionTensors, textEmbeddingsTensors } from '@blip2/qformer';
import { visionTensors } from '@blip2/vision';

/** A model of the retrieval family: its class in Hugging Face Transformers, and the paths of its parts. */
export interface RetrievalContent {
  /** As in `architectures` of `config.json`. */
  readonly architecture: string;
  /** In the order of the checkpoint. */
  readonly parts: readonly RetrievalPart[];
}

/** The path of a part in the checkpoint of a retrieval model. */
export type RetrievalPart =
  'query_tokens' | 'vision_model' | 'qformer' | 'embeddings' | 'vision_projection' | 'text_projection' | 'itm_head';

/** The contents of a whole retrieval model. */
export const RETRIEVAL_CONTENT: RetrievalContent = {
  architecture: 'Blip2ForImageTextRetrieval',
  parts: ['query_tokens', 'vision_model', 'qformer', 'embeddings', 'vision_projection', 'text_projection', 'itm_head'],
};
export const TEXT_MODEL_CONTENT: RetrievalContent = {
  architecture: 'Blip2TextModelWithProjection',
  parts: ['query_tokens', 'qformer', 'embeddings', 'text_projection'],
};
export const VISION_MODEL_CONTENT: RetrievalContent = {
  architecture: 'Blip2VisionModelWithProjection',
  parts: ['query_tokens', 'vision_model', 'qformer', 'vision_projection'],
};

/** Every tensor in the checkpoint of such a model, by name and shape. */
export function retrievalTensors(config: Blip2Config, { parts }: RetrievalContent): RecordedWeight[] {
  return parts.flatMap((part) => partTensors(config, part));
}

function partTensors(
  { visionConfig, qformerConfig, numQueryTokens, imageTextHiddenSize }: Blip2Config,
  part: RetrievalPart,
): readonly RecordedWeight[] {
  const size = { inFeatures: qformerConfig.hiddenSize, outFeatures: imageTextHiddenSize };
  switch (part) {
    case 'query_tokens':
      return [{ name: part, shape: [1, numQueryTokens, qformerConfig.hiddenSize] }];
    case 'vision_model':
      return visionTensors(visionConfig, part);
    case 'qformer':
      return qformerTensors(qformerConfig, part);
    case 'embeddings':
      return textEmbeddingsTensors(qformerConfig, part);
    case 'itm_head':
      return matchingHeadTensors(qformerConfig.hiddenSize, part);
    default:
      return retrievalProjectionTensors(size, part);
  }
}

/**
 * Refuses configurations whose Q-Former has no text input, as in generation checkpoints.
 * @throws Blip2Error `UNSUPPORTED_ARCHITECTURE`.
 */
export function expectTextInput({ qformerConfig }: Blip2Config, where: string): void {
  if (qformerConfig.useQformerTextInput) return;
  throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'The Q-Former of this checkpoint has no text input', {
    where,
    expected: 'use_qformer_text_input: true',
    got: 'false',
    fix: 'Use a retrieval checkpoint such as blip2-itm-vit-g',
  });
}
