import type { CheckpointFamily } from './checkpoint-family.ts';
import type { GoldenEntry } from './golden-case.ts';

/** Kinds of the format that the library has no counterpart for yet. */
const KINDS_NOT_YET: ReadonlyMap<string, string> = new Map([
  ['logits_processor', 'the logits processors come with generation beyond greedy search'],
  ['logits_pipeline', 'the logits processors come with generation beyond greedy search'],
  ['sampling_scores', 'sampling comes with generation beyond greedy search'],
  ['sequence_logprobs', 'scoring of given sequences comes with generation beyond greedy search'],
  ['text_embeddings', 'image-text retrieval comes later'],
  ['image_text_retrieval', 'image-text retrieval comes later'],
  ['text_model_with_projection', 'image-text retrieval comes later'],
  ['vision_model_with_projection', 'image-text retrieval comes later'],
]);

/** Kinds that need a language model, and those that need the Q-Former. */
const LANGUAGE_KINDS: ReadonlySet<string> = new Set([
  'language_model_forward', 'language_model_generate', 'forward', 'generate', 'get_image_features', 'get_qformer_features', 'get_text_features',
]);
const QFORMER_KINDS: ReadonlySet<string> = new Set(['qformer_forward', 'get_qformer_features', 'forward', 'generate']);
/** Kinds that need no model at all. */
const MODEL_FREE_KINDS: ReadonlySet<string> = new Set(['decode_image', 'image_processor', 'tokenizer_encode', 'tokenizer_decode']);

/** Generation options that exist. All others are skipped until they do. */
const GENERATION_OPTIONS: ReadonlySet<string> = new Set([
  'max_new_tokens', 'min_new_tokens', 'max_length', 'min_length', 'eos_token_id', 'pad_token_id', 'output_scores', 'interpolate_pos_encoding',
]);
/** Later generation options of the format: skipped. Anything outside both lists is unknown and fails. */
const GENERATION_OPTIONS_NOT_YET: ReadonlySet<string> = new Set([
  'do_sample', 'num_beams', 'num_return_sequences', 'temperature', 'top_k', 'top_p', 'min_p', 'typical_p', 'epsilon_cutoff', 'eta_cutoff', 'repetition_penalty',
  'no_repeat_ngram_size', 'bad_words_ids', 'suppress_tokens', 'begin_suppress_tokens', 'forced_bos_token_id', 'forced_eos_token_id', 'sequence_bias',
  'exponential_decay_length_penalty', 'length_penalty', 'early_stopping', 'renormalize_logits', 'remove_invalid_values',
]);

/** Why an entry cannot run yet, or nothing. The rules only ever get fewer. */
export function reasonToSkip(entry: GoldenEntry, family: CheckpointFamily): string | undefined {
  const byKind = KINDS_NOT_YET.get(entry.kind);
  if (byKind !== undefined) return byKind;
  if (MODEL_FREE_KINDS.has(entry.kind)) return undefined;
  if (family.modelType === 'instructblip') return 'InstructBLIP comes later';
  if (family.textModelType === 't5' && LANGUAGE_KINDS.has(entry.kind)) return 'T5 comes later';
  if (family.positionEmbeddingType?.startsWith('relative_key') && QFORMER_KINDS.has(entry.kind)) return 'relative positions in the Q-Former come later';
  if (entry.kind !== 'generate' && entry.kind !== 'language_model_generate') return undefined;
  const later = Object.keys(entry.options).filter((name) => !GENERATION_OPTIONS.has(name) && GENERATION_OPTIONS_NOT_YET.has(name));
  return later.length === 0 ? undefined : `generation options ${later.join(', ')} come later`;
}
