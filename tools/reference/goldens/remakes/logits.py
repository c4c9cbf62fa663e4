"""Logits processors of HF on recorded ids and logits."""

from functools import cache

import torch
import transformers
from transformers import GenerationConfig, OPTConfig, OPTForCausalLM
from transformers.generation import logits_process

VOCABULARY = 64


def logits_processor(given: dict, options: dict) -> dict:
    arguments = {name: value for name, value in options.items() if name != "class"}
    processor = getattr(logits_process, options["class"])(**arguments)
    return {"scores": processor(torch.tensor(given["input_ids"]), given["scores"].clone())}


def logits_pipeline(given: dict, options: dict) -> dict:
    """All processors that options of `generate` enable, in the order of HF."""
    ids = torch.tensor(given["input_ids"])
    others = {name: value for name, value in options.items() if name != "prompt_length"}
    processors = pipeline(options["prompt_length"], others)
    return {"scores": processors(ids, given["scores"].clone()), "classes": [type(each).__name__ for each in processors]}


def pipeline(prompt_length: int, options: dict) -> transformers.LogitsProcessorList:
    """As in `generate`, which has no public function for this."""
    model = small_model()
    config, _ = model._prepare_generation_config(GenerationConfig(**options))
    model._prepare_special_tokens(config, True, device="cpu")
    return model._get_logits_processor(config, input_ids_seq_length=prompt_length, device="cpu", model_kwargs={})


@cache
def small_model() -> OPTForCausalLM:
    """A decoder-only model. Its weights are not used."""
    return OPTForCausalLM(OPTConfig(
        vocab_size=VOCABULARY, hidden_size=4, word_embed_proj_dim=4, ffn_dim=4, num_hidden_layers=1,
        num_attention_heads=1, max_position_embeddings=8,
        bos_token_id=None, pad_token_id=None, eos_token_id=None,
    ))
