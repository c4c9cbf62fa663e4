import type { ConfigFormat, TextConfig as TextConfigMembers } from '@blip2/config';
import { type AttentionMask, defined, type SpecialTokens } from '@blip2/interfaces';
import type { SensitiveLayers, WeightFinder, WeightSource, WrittenModel } from '@blip2/onnx';
import {
  definePart,
  type ExportedGraph,
  type InitializeTensor,
  type Part,
  type PartContext,
  type PartWeights,
  type StandalonePart,
} from '@blip2/part';

import { DECODING } from '../decoder-outputs.ts';
import { storesByRows } from '../decoding/decode-stores.ts';
import { buildMergedDecoder, DECODER, EMBED_TOKENS } from '../exported/merged-decoder.ts';
import type { PositionValues } from '../exported/position-values.ts';
import { LANGUAGE_MODEL_PATH } from '../language-model-path.ts';
import type { EmbeddingSignature } from '../token-embedding-graph.ts';
import type { CausalArchitecture, PositionInputs } from './causal-architecture.ts';
import { causalTensors } from './causal-decoder.ts';
import type { CausalLanguageModel } from './causal-forward-types.ts';
import { createCausalLanguageModel, prepareCausalLanguageModel } from './causal-language-model.ts';
import type { CausalRequest, CausalSignature, CausalSizes } from './causal-signature.ts';

/** What a family of decoder-only language models declares. */
export interface CausalDefinition<C extends TextConfigMembers> {
  /** HF class by `model_type`. */
  readonly architectures: Readonly<Record<C['modelType'], string>>;
  readonly config: ConfigFormat<C>;
  sizes(config: C): CausalSizes;
  maxPositions(config: C): number;
  initializer(config: C): InitializeTensor;
  buildEmbedding(config: C, weights: WeightSource, prefix: string): WrittenModel<EmbeddingSignature>;
  buildDecoder(config: C, weights: WeightSource, prefix: string, request: CausalRequest): WrittenModel<CausalSignature>;
  /** The inputs of the position encoding for the last `count` positions of a mask over all positions so far. */
  positionInputs(config: C, mask: AttentionMask, count: number, use: 'decoding' | 'forward'): PositionInputs;
  /** The same inputs as values of a graph, counted as in decoding. Absent: models cannot be exported. */
  readonly positionValues?: PositionValues<C>;
  /** Positions that windowed layers attend to; undefined if no layer has a window. */
  window?(config: C): number | undefined;
  /** Whether a row does not depend on the lengths of others, so that decodings can be joined. Default: true. */
  isJoinable?(config: C): boolean;
  /** Names of the token embedding below the path of the language model. It may be tied to the head. */
  readonly tokenEmbeddings: readonly string[];
  /** Linear layers with a precision of their own. */
  readonly sensitive: readonly SensitiveLayers[];
}

/** Defines a decoder-only language model: loading, saving, decoding and the full forward. */
export function defineCausalLanguageModel<C extends TextConfigMembers>(
  definition: CausalDefinition<C>,
): Part<C, CausalLanguageModel & StandalonePart<C>> {
  const { buildEmbedding, buildDecoder } = definition;
  const decoderGraph = (config: C, weights: WeightFinder, prefix: string): void =>
    void buildDecoder(config, weights, prefix, DECODING);

  const architecture = ({ config, weights, options }: PartContext<C, PartWeights, object>): CausalArchitecture => ({
    sizes: definition.sizes(config),
    maxPositions: definition.maxPositions(config),
    specialTokens: specialTokens(config),
    outputDefaults: config,
    stores: storesByRows(weights, options),
    buildEmbedding: () => buildEmbedding(config, weights.original ?? weights.store, weights.prefix),
    buildDecoder: (request, store) => buildDecoder(config, store, weights.prefix, request),
    window: definition.window?.(config),
    isJoinable: definition.isJoinable?.(config) ?? true,
    positionInputs: (mask, count, use) => definition.positionInputs(config, mask, count, use),
  });
  return definePart({
    label: 'language model',
    // `removeInvalidValues` replaces invalid logits.
    hasUncheckedOutputs: true,
    path: LANGUAGE_MODEL_PATH,
    architectures: definition.architectures,
    config: definition.config,
    tensors: (config: C, prefix) => causalTensors(config, prefix, buildEmbedding, buildDecoder),
    tied: { embeddings: definition.tokenEmbeddings },
    initializer: (config) => definition.initializer(config),
    plan: { graphs: decoderGraph, decodeGraphs: decoderGraph, sensitive: definition.sensitive },
    exportGraphs: ({ config, weights }) => exportCausal(definition, config, weights),
    create: (context) => createCausalLanguageModel(architecture(context), context.sessions),
    prepare: (context) => prepareCausalLanguageModel(architecture(context), context.sessions),
  });
}

/** A decoder-only model has no start token of a decoder. Its family need not be registered. */
function specialTokens({ bosTokenId, eosTokenId, padTokenId }: TextConfigMembers): SpecialTokens {
  return defined({ bosTokenId, eosTokenId, padTokenId });
}

/** The graphs of a causal model for other runtimes. */
function exportCausal<C extends TextConfigMembers>(
  definition: CausalDefinition<C>,
  config: C,
  { store, original = store, prefix }: PartWeights,
): readonly ExportedGraph[] {
  const { positionValues, buildEmbedding, buildDecoder } = definition;
  const decoder = buildMergedDecoder({
    config,
    sizes: definition.sizes(config),
    store,
    window: definition.window?.(config),
    positionValues,
    build: (request, source) => buildDecoder(config, source, prefix, request),
  });
  return [
    { name: EMBED_TOKENS, model: buildEmbedding(config, original, prefix) },
    { name: DECODER, model: decoder },
  ];
}
