/** A name in LAVIS and what it is called in the Hugging Face layout. */
type NameRule = readonly [lavis: RegExp, huggingFace: string];

const VISION_RULES: readonly NameRule[] = [
  [/^visual_encoder\.cls_token$/, 'vision_model.embeddings.class_embedding'],
  [/^visual_encoder\.pos_embed$/, 'vision_model.embeddings.position_embedding'],
  [/^visual_encoder\.patch_embed\.proj\./, 'vision_model.embeddings.patch_embedding.'],
  [/^visual_encoder\.blocks\.(\d+)\.norm([12])\./, 'vision_model.encoder.layers.$1.layer_norm$2.'],
  [/^visual_encoder\.blocks\.(\d+)\.attn\.qkv\./, 'vision_model.encoder.layers.$1.self_attn.qkv.'],
  [/^visual_encoder\.blocks\.(\d+)\.attn\.proj\./, 'vision_model.encoder.layers.$1.self_attn.projection.'],
  [/^visual_encoder\.blocks\.(\d+)\.mlp\.(fc[12])\./, 'vision_model.encoder.layers.$1.mlp.$2.'],
  // Trained with the Q-Former, so that it lies in files without the encoder too.
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

/** Where text and queries enter: the one place in which the families differ. */
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

/** Half of what the Hugging Face layout keeps as one `qkv.bias`: `q`, nothing for the keys, `v`. */
const HALF_BIAS = /^visual_encoder\.blocks\.(?<layer>\d+)\.attn\.(?<half>[qv])_bias$/;
const LAVIS_PATHS = /^(?:visual_encoder|ln_vision|Qformer\.bert|opt_proj|t5_proj|llm_proj)\./;
const QFORMER_TOKEN_EMBEDDING = /^Qformer\.bert\.embeddings\.word_embeddings\./;
const LANGUAGE_PROJECTION = /^(?:opt|t5|llm)_proj\./;

/** Whose names a checkpoint has: those of the hub, or those of LAVIS, in which BLIP-2 was first published. */
export type CheckpointOrigin = 'huggingface' | 'lavis';

export function checkpointOrigin(names: Iterable<string>): CheckpointOrigin {
  for (const name of names) if (LAVIS_PATHS.test(name)) return 'lavis';
  return 'huggingface';
}

/**
 * The map for one LAVIS checkpoint. Names that it does not know (`temp`, `Qformer.cls.*`: of the training alone) stay
 * as they are.
 */
export function lavisNameMap(names: readonly string[]): (name: string) => string {
  // InstructBLIP alone has both a Q-Former that reads text and a way to a language model.
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

/** Which half of which layer's bias it is, if it is one. */
export function halfBias(name: string): { readonly half: 'q' | 'v'; readonly joined: string } | undefined {
  const { layer, half } = HALF_BIAS.exec(name)?.groups ?? {};
  if (layer === undefined || (half !== 'q' && half !== 'v')) return undefined;
  return { half, joined: `vision_model.encoder.layers.${layer}.self_attn.qkv.bias` };
}
