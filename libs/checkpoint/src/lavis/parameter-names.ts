/** A LAVIS parameter name and its name in the Hugging Face layout. */
type NameRule = readonly [lavis: RegExp, huggingFace: string];

const VISION_RULES: readonly NameRule[] = [
  [/^visual_encoder\.cls_token$/, 'vision_model.embeddings.class_embedding'],
  [/^visual_encoder\.pos_embed$/, 'vision_model.embeddings.position_embedding'],
  [/^visual_encoder\.patch_embed\.proj\./, 'vision_model.embeddings.patch_embedding.'],
  [/^visual_encoder\.blocks\.(\d+)\.norm([12])\./, 'vision_model.encoder.layers.$1.layer_norm$2.'],
  [/^visual_encoder\.blocks\.(\d+)\.attn\.qkv\./, 'vision_model.encoder.layers.$1.self_attn.qkv.'],
  [/^visual_encoder\.blocks\.(\d+)\.attn\.proj\./, 'vision_model.encoder.layers.$1.self_attn.projection.'],
  [/^visual_encoder\.blocks\.(\d+)\.mlp\.(fc[12])\./, 'vision_model.encoder.layers.$1.mlp.$2.'],
  // Trained with the Q-Former, so it is also in files without the encoder.
  [/^ln_vision\./, 'vision_model.post_layernorm.'],
];

const QFORMER_RULES: readonly NameRule[] = [
  [/^query_tokens$/, 'query_tokens'],
  [
    /^Qformer\.bert\.encoder\.layer\.(\d+)\.(attention|crossattention)\.self\./,
    'qformer.encoder.layer.$1.$2.attention.',
  ],
  [
    /^Qformer\.bert\.encoder\.layer\.(\d+)\.(attention|crossattention)\.output\./,
    'qformer.encoder.layer.$1.$2.output.',
  ],
  [/^Qformer\.bert\.encoder\.layer\.(\d+)\.(intermediate|output)(_query)?\./, 'qformer.encoder.layer.$1.$2$3.'],
];

/** Text and query embeddings: the only names that differ between BLIP-2 and InstructBLIP. */
const BLIP2_EMBEDDING_RULES: readonly NameRule[] = [
  [/^Qformer\.bert\.embeddings\.(word|position)_embeddings\./, 'embeddings.$1_embeddings.'],
  [/^Qformer\.bert\.embeddings\.LayerNorm\./, 'qformer.layernorm.'],
];
const INSTRUCTBLIP_EMBEDDING_RULES: readonly NameRule[] = [
  [/^Qformer\.bert\.embeddings\.(word|position)_embeddings\./, 'qformer.embeddings.$1_embeddings.'],
  [/^Qformer\.bert\.embeddings\.LayerNorm\./, 'qformer.embeddings.layernorm.'],
];

const LANGUAGE_RULES: readonly NameRule[] = [
  [/^(?:opt|t5|llm)_proj\./, 'language_projection.'],
  [/^(?:opt|t5|llm)_model\./, 'language_model.'],
];

const RETRIEVAL_RULES: readonly NameRule[] = [
  [/^vision_proj\./, 'vision_projection.'],
  [/^text_proj\./, 'text_projection.'],
  [/^itm_head\./, 'itm_head.'],
];

/** Query or value bias. The Hugging Face layout has one `qkv.bias`: queries, zeros for the keys, values. */
const SPLIT_BIAS = /^visual_encoder\.blocks\.(?<layer>\d+)\.attn\.(?<projection>[qv])_bias$/;
const LAVIS_PATHS = /^(?:visual_encoder|ln_vision|Qformer\.bert|opt_proj|t5_proj|llm_proj)\./;
const QFORMER_TOKEN_EMBEDDING = /^Qformer\.bert\.embeddings\.word_embeddings\./;
const LANGUAGE_PROJECTION = /^(?:opt|t5|llm)_proj\./;

/** Origin of a checkpoint's parameter names: Hugging Face, or LAVIS, in which BLIP-2 was first published. */
export type CheckpointOrigin = 'huggingface' | 'lavis';

/** Origin of a checkpoint, by its parameter names. */
export function checkpointOrigin(names: Iterable<string>): CheckpointOrigin {
  for (const name of names) if (LAVIS_PATHS.test(name)) return 'lavis';
  return 'huggingface';
}

/**
 * Creates the function that maps parameter names of a LAVIS checkpoint to the Hugging Face layout. Unknown names are
 * kept (`temp`, `Qformer.cls.*`: used in training only).
 */
export function lavisNameMap(names: readonly string[]): (name: string) => string {
  // Only InstructBLIP has both token embeddings in the Q-Former and a projection to a language model.
  const instruct =
    names.some((name) => QFORMER_TOKEN_EMBEDDING.test(name)) && names.some((name) => LANGUAGE_PROJECTION.test(name));
  const rules = [
    ...VISION_RULES,
    ...QFORMER_RULES,
    ...(instruct ? INSTRUCTBLIP_EMBEDDING_RULES : BLIP2_EMBEDDING_RULES),
    ...LANGUAGE_RULES,
    ...RETRIEVAL_RULES,
  ];
  return (name) => {
    const rule = rules.find(([lavis]) => lavis.test(name));
    return rule ? name.replace(...rule) : name;
  };
}

/** Whether a name is a query or value bias, and the name of the joined bias. */
export function splitBias(name: string): { readonly projection: 'q' | 'v'; readonly joined: string } | undefined {
  const { layer, projection } = SPLIT_BIAS.exec(name)?.groups ?? {};
  if (layer === undefined || (projection !== 'q' && projection !== 'v')) return undefined;
  return { projection, joined: `vision_model.encoder.layers.${layer}.self_attn.qkv.bias` };
}
