import { mustBe } from '@blip2/interfaces';

/** A checkpoint shape: what `config.json` must contain, and which demo checkpoint supplies the tokenizer. */
export interface Shape {
  /** Folder in `apps/cli/models` with a tokenizer whose vocabulary fits. */
  readonly demo: string;
  /** Side of the square input in pixels. */
  readonly imageSize: number;
  /** The stock repository's `config.json`, without fields that equal their defaults. */
  readonly config: { readonly num_query_tokens: number; readonly [key: string]: unknown };
}

/** The shapes of two full-size models, one of a gigabyte, and a tiny one that runs in seconds. */
const BY_NAME: Readonly<Record<string, Shape>> = {
  'opt-2.7b': {
    demo: 'blip2-opt-shapes',
    imageSize: 224,
    config: {
      model_type: 'blip-2',
      image_token_index: 446,
      num_query_tokens: 32,
      vision_config: { model_type: 'blip_2_vision_model' },
      qformer_config: { model_type: 'blip_2_qformer' },
      text_config: {
        model_type: 'opt',
        hidden_size: 2560,
        num_hidden_layers: 32,
        num_attention_heads: 32,
        ffn_dim: 10240,
        word_embed_proj_dim: 2560,
        vocab_size: 50304,
        eos_token_id: 50118,
      },
    },
  },
  'flan-t5-xl': {
    demo: 'blip2-t5-shapes',
    imageSize: 224,
    config: {
      model_type: 'blip-2',
      image_token_index: 268,
      num_query_tokens: 32,
      vision_config: { model_type: 'blip_2_vision_model' },
      qformer_config: { model_type: 'blip_2_qformer' },
      text_config: {
        model_type: 't5',
        d_model: 2048,
        d_ff: 5120,
        d_kv: 64,
        num_layers: 24,
        num_heads: 32,
        vocab_size: 32128,
        bos_token_id: 1,
        decoder_start_token_id: 0,
        feed_forward_proj: 'gated-gelu',
        dense_act_fn: 'gelu',
        tie_word_embeddings: false,
      },
    },
  },
  medium: {
    demo: 'blip2-opt-shapes',
    imageSize: 224,
    config: {
      model_type: 'blip-2',
      image_token_index: 446,
      num_query_tokens: 32,
      vision_config: {
        model_type: 'blip_2_vision_model',
        hidden_size: 768,
        intermediate_size: 3072,
        num_hidden_layers: 12,
        num_attention_heads: 12,
      },
      qformer_config: {
        model_type: 'blip_2_qformer',
        hidden_size: 256,
        intermediate_size: 1024,
        num_hidden_layers: 4,
        num_attention_heads: 4,
        encoder_hidden_size: 768,
      },
      text_config: {
        model_type: 'opt',
        hidden_size: 1024,
        num_hidden_layers: 16,
        num_attention_heads: 16,
        ffn_dim: 4096,
        word_embed_proj_dim: 1024,
        vocab_size: 50304,
        eos_token_id: 50118,
      },
    },
  },
  tiny: {
    demo: 'blip2-opt-shapes',
    imageSize: 32,
    config: {
      model_type: 'blip-2',
      image_token_index: 446,
      num_query_tokens: 4,
      vision_config: {
        model_type: 'blip_2_vision_model',
        hidden_size: 64,
        intermediate_size: 128,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        image_size: 32,
        patch_size: 8,
      },
      qformer_config: {
        model_type: 'blip_2_qformer',
        hidden_size: 64,
        intermediate_size: 128,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        encoder_hidden_size: 64,
        vocab_size: 283,
      },
      text_config: {
        model_type: 'opt',
        hidden_size: 64,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        ffn_dim: 128,
        word_embed_proj_dim: 64,
        vocab_size: 448,
        eos_token_id: 202,
      },
    },
  },
};

/** Names of all shapes. */
export const SHAPE_NAMES: readonly string[] = Object.keys(BY_NAME);

/**
 * The shape with this name.
 * @throws Blip2Error `INVALID_ARGUMENT` if there is none.
 */
export function shapeNamed(name: string): Shape {
  const shape = BY_NAME[name];
  if (shape === undefined) throw mustBe('--shape', SHAPE_NAMES.join(', '), name);
  return shape;
}
