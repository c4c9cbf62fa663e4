/** Options of `generate` that the format uses, by the reference's names. */
export const GENERATION_OPTIONS: readonly string[] = [
  'max_new_tokens', 'min_new_tokens', 'max_length', 'min_length', 'eos_token_id', 'pad_token_id', 'do_sample', 'num_beams', 'num_return_sequences', 'temperature', 'top_k',
  'top_p', 'min_p', 'typical_p', 'epsilon_cutoff', 'eta_cutoff', 'repetition_penalty', 'no_repeat_ngram_size', 'bad_words_ids', 'suppress_tokens', 'begin_suppress_tokens',
  'forced_bos_token_id', 'forced_eos_token_id', 'sequence_bias', 'exponential_decay_length_penalty', 'length_penalty', 'early_stopping', 'renormalize_logits',
  'remove_invalid_values', 'output_scores',
];
