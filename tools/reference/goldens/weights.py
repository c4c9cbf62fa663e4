"""Random weights of a model with useful outputs: attention is far from uniform, every layer matters, logits are far apart."""

import json
import math
import re
import zlib
from pathlib import Path

import torch
from safetensors.torch import save_file

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
# Standard deviation of attention scores before the softmax.
SCORE_SPREAD = 2.0
# Standard deviation of the language model's logits.
LOGIT_SPREAD = 3.5
# A layer adds more than its input: otherwise every token would be followed by itself.
BRANCH_GAIN = 3.0
# Standard deviation of the vision encoder's hidden states: small enough for the epsilon of the norms to matter.
VISION_STREAM = 0.05
# The end token's embedding has a larger norm than others, so that some texts end.
END_TOKEN_GAIN = 1.2


def randomize(model: torch.nn.Module, text_config, seed: int, dtype: str) -> None:
    """Initializes every parameter from the seed and its name, then rounds it to the stored dtype."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            generator = torch.Generator().manual_seed(seed * 1_000_003 + zlib.crc32(name.encode()))
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(noise * spread(name, parameter, text_config) + center(name))
        emphasize_end(model, text_config)
        for parameter in model.parameters():
            parameter.copy_(parameter.to(DTYPES[dtype]).to(torch.float32))


# Weights of norms; GPT-2 calls its norms `ln_1`, `ln_2` and `ln_f`.
NORM = re.compile(r"(norm\w*|ln_\w)\.weight$", re.IGNORECASE)
# Matrices that GPT-2 stores as `[in, out]`.
TRANSPOSED = re.compile(r"\.c_(attn|proj|fc)\.weight$")


def center(name: str) -> float:
    return 1.0 if NORM.search(name) else 0.0


def spread(name: str, parameter: torch.Tensor, text_config) -> float | torch.Tensor:
    if NORM.search(name):
        return 0.25
    if name.endswith("bias") and "relative" not in name:
        return VISION_STREAM if re.search(r"vision_model.*(patch_embedding|projection|fc2)\.bias$", name) else 0.15
    if "relative_attention_bias" in name:
        return 1.5
    if re.search(r"(embed_tokens|shared|embed_positions|word_embeddings|position_embeddings|wte|wpe)\.weight$", name):
        return stream(text_config) if "language_model" in name or not name.startswith("embeddings") else 0.7
    if re.search(r"(class_embedding|position_embedding)$", name):
        return VISION_STREAM
    if name == "query_tokens":
        return 0.8
    inputs = parameter.shape[0] if TRANSPOSED.search(name) else parameter[0].numel()
    return gain(name, parameter, text_config) / math.sqrt(inputs)


def stream(text_config) -> float:
    """Standard deviation of the language model's embeddings. Its layers add about as much."""
    if text_config.model_type == "t5":
        return LOGIT_SPREAD if text_config.scale_decoder_outputs else 1.0
    return LOGIT_SPREAD / math.sqrt(getattr(text_config, "word_embed_proj_dim", text_config.hidden_size))


def gain(name: str, parameter: torch.Tensor, text_config) -> float | torch.Tensor:
    """Standard deviation of the output for inputs of standard deviation 1."""
    if name.endswith("self_attn.qkv.weight"):
        rows = torch.ones(parameter.shape[0], 1)
        rows[: 2 * parameter.shape[0] // 3] = math.sqrt(SCORE_SPREAD)
        return rows
    if name.endswith(".c_attn.weight"):
        columns = torch.ones(1, parameter.shape[1])
        columns[:, : 2 * parameter.shape[1] // 3] = math.sqrt(SCORE_SPREAD)
        return columns
    if re.search(r"Attention\.[qk]\.weight$", name):
        # T5 does not divide its scores by the square root of the head size.
        return math.sqrt(SCORE_SPREAD) / text_config.d_kv**0.25
    if re.search(r"(query|key|q_proj|k_proj)\.weight$", name):
        return math.sqrt(SCORE_SPREAD)
    if re.search(r"(patch_embedding|vision_model.*projection|vision_model.*fc2)\.weight$", name):
        return VISION_STREAM
    if name.endswith("lm_head.weight"):
        return LOGIT_SPREAD
    if re.search(r"((self_attn\.out_proj|layers\.\d+\.fc2|o_proj|down_proj|c_proj)|Attention\.o|DenseReluDense\.wo|language_projection)\.weight$", name) and "vision" not in name:
        return 0.8 if name.startswith("language_projection") else BRANCH_GAIN * stream(text_config)
    return 1.2


def emphasize_end(model: torch.nn.Module, text_config) -> None:
    for name, parameter in model.named_parameters():
        if re.search(r"(embed_tokens|shared|wte|lm_head)\.weight$", name):
            parameter[text_config.eos_token_id] *= END_TOKEN_GAIN


def stored_tensors(model: torch.nn.Module, dtype: str) -> dict[str, torch.Tensor]:
    """The stored tensors. Of tied tensors, only the first name is stored."""
    return {name: parameter.detach().to(DTYPES[dtype]).contiguous() for name, parameter in model.named_parameters()}


def save_weights(folder: Path, tensors: dict[str, torch.Tensor], shards: int) -> None:
    if shards == 1:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return
    sizes = {name: tensor.numel() * tensor.element_size() for name, tensor in tensors.items()}
    total, done = sum(sizes.values()), 0
    groups: list[dict[str, torch.Tensor]] = [{} for _ in range(shards)]
    for name, tensor in tensors.items():
        groups[min(done * shards // total, shards - 1)][name] = tensor
        done += sizes[name]
    weight_map = {}
    for index, group in enumerate(groups, 1):
        file = f"model-{index:05}-of-{shards:05}.safetensors"
        save_file(group, folder / file, metadata={"format": "pt"})
        weight_map.update(dict.fromkeys(group, file))
    index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(weight_map.items()))}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n", "utf-8")
