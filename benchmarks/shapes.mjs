/**
 * Full-size shapes, and a tiny one that runs in seconds: the stock repositories' config.json without what is default
 * anyway, and the demo checkpoint whose tokenizer goes with it.
 */
export const SHAPES = {
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
