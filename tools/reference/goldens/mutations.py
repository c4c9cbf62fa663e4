"""Deliberate mistakes in HF, by name. A runner must fail on goldens that are made with one."""

from collections.abc import Callable

import torch
from torch import nn
from transformers.activations import ACT2FN

from .models import Models

Mistake = Callable[[nn.Module], None]


def parts(model: nn.Module, kind: str) -> list[nn.Module]:
    """Modules whose class name ends with `kind`."""
    return [module for module in model.modules() if type(module).__name__.endswith(kind)]


def inside(name: str, change: Callable[[nn.Module], None]) -> Mistake:
    """Changes the part with this name, if the model has it."""
    return lambda model: change(getattr(model, name)) if hasattr(model, name) else None


def each(kind: str, change: Callable[[nn.Module], None]) -> Mistake:
    return lambda model: [change(module) for module in parts(model, kind)] and None


def language(change: Callable[[nn.Module], None]) -> Mistake:
    """Changes the language model, standalone or inside a model."""
    return lambda model: change(getattr(model, "language_model", model))


def put(**values) -> Callable[[nn.Module], None]:
    return lambda module: [setattr(module, name, value) for name, value in values.items()] and None


def activation(name: str, function: nn.Module) -> Callable[[nn.Module], None]:
    return lambda module: setattr(module, name, function)


def swap(first: str, second: str) -> Callable[[nn.Module], None]:
    def change(module: nn.Module) -> None:
        a, b = getattr(module, first), getattr(module, second)
        setattr(module, first, b)
        setattr(module, second, a)

    return change


def epsilon(kind: str, factor: float = 10.0) -> Callable[[nn.Module], None]:
    """Norms whose epsilon is ten times what it should be."""
    field = "eps" if kind == "LayerNorm" else "variance_epsilon"
    return lambda part: [setattr(norm, field, getattr(norm, field) * factor) for norm in parts(part, kind)] and None


class NoNorm(nn.LayerNorm):
    def forward(self, states):
        return states


def other_gelu(name: str) -> Callable[[nn.Module], None]:
    """The error function where the hyperbolic tangent belongs, and the other way round. Other activations stay."""
    def change(module: nn.Module) -> None:
        given = getattr(module, name)
        kinds = {"GELUActivation": "gelu_new", "NewGELUActivation": "gelu"}
        if type(given).__name__ in kinds:
            setattr(module, name, ACT2FN[kinds[type(given).__name__]])

    return change


def rounded(dtype: torch.dtype) -> Mistake:
    return lambda model: [parameter.copy_(parameter.to(dtype)) for parameter in model.parameters()] and None


def reread_qkv(attention: nn.Module) -> None:
    """Reads the rows as [heads, 3, head size] instead of [3, heads, head size]."""
    for parameter in (attention.qkv.weight, attention.qkv.bias):
        if parameter is not None:
            size = parameter.shape[0] // (3 * attention.num_heads)
            parameter.copy_(parameter.reshape(attention.num_heads, 3, size, -1).transpose(0, 1).reshape(parameter.shape))


def subtract_mean(norm: nn.Module) -> None:
    forward = norm.forward
    norm.forward = lambda states: forward(states - states.mean(-1, keepdim=True))


def shift_positions(embeddings: nn.Module) -> None:
    embeddings.position_embedding.copy_(embeddings.position_embedding.roll(1, 1))


def scale_output(model: nn.Module) -> None:
    model.config.scale_decoder_outputs = not model.config.scale_decoder_outputs


def post_norm(decoder: nn.Module) -> None:
    for layer in decoder.layers:
        layer.do_layer_norm_before = not layer.do_layer_norm_before


def directions(stack: str, is_decoder: bool) -> Mistake:
    return language(lambda model: [setattr(attention, "is_decoder", is_decoder) for block in getattr(model, stack).block for attention in [block.layer[0].SelfAttention]] and None)


def first_query(head: nn.Module) -> None:
    """The mean over the queries becomes the first query's answer."""
    forward = head.forward
    head.forward = lambda states: forward(states[:, :1].expand_as(states))


MUTATIONS: dict[str, Mistake] = {
    "vision: the other gelu": each("Blip2MLP", other_gelu("activation_fn")),
    "vision: relu": each("Blip2MLP", activation("activation_fn", nn.ReLU())),
    "vision: scores not scaled": each("Blip2Attention", put(scale=1.0)),
    "vision: qkv read as [heads, 3, head_dim]": each("Blip2Attention", reread_qkv),
    "vision: no post_layernorm": inside("vision_model", activation("post_layernorm", NoNorm(1))),
    "vision: layer_norm1 and 2 swapped": each("Blip2EncoderLayer", swap("layer_norm1", "layer_norm2")),
    "vision: positions shifted by one": each("Blip2VisionEmbeddings", shift_positions),
    "vision: epsilon ten times as large": inside("vision_model", epsilon("LayerNorm")),
    "qformer: no first layernorm": inside("qformer", activation("layernorm", NoNorm(1))),
    "qformer: the other gelu": each("QFormerIntermediate", other_gelu("intermediate_act_fn")),
    "qformer: relu": each("QFormerIntermediate", activation("intermediate_act_fn", nn.ReLU())),
    "qformer: epsilon ten times as large": inside("qformer", epsilon("LayerNorm")),
    "qformer: cross-attention only in layer 0": each("QFormerEncoder", lambda encoder: [setattr(layer, "has_cross_attention", False) for layer in encoder.layer[1:]] and None),
    "language_projection: no bias": inside("language_projection", activation("bias", None)),
    "itm head: first query instead of the mean": inside("itm_head", first_query),
    "opt: position offset 1 instead of 2": each("OPTLearnedPositionalEmbedding", put(offset=1)),
    "opt: queries not scaled": each("OPTAttention", put(scaling=1.0)),
    "opt: norms on the other side": each("OPTDecoder", post_norm),
    "opt: no final norm": each("OPTDecoder", activation("final_layer_norm", None)),
    "opt: gelu": each("OPTDecoderLayer", activation("activation_fn", nn.GELU())),
    "opt: epsilon ten times as large": each("OPTDecoder", epsilon("LayerNorm")),
    "t5: the other gelu": each("T5DenseGatedActDense", other_gelu("act")),
    "t5: gelu instead of relu": each("T5DenseActDense", activation("act", nn.GELU())),
    "t5: output scaling turned round": language(scale_output),
    "t5: head tied to the embedding": language(lambda model: model.lm_head.weight.copy_(model.shared.weight)),
    "t5: decoder buckets bidirectional": directions("decoder", False),
    "t5: encoder buckets causal": directions("encoder", True),
    "t5: max_distance 64": each("T5Attention", put(relative_attention_max_distance=64)),
    "t5: norm subtracts the mean": each("T5LayerNorm", subtract_mean),
    "t5: epsilon ten times as large": epsilon("T5LayerNorm"),
    "t5: wi_0 and wi_1 swapped": each("T5DenseGatedActDense", swap("wi_0", "wi_1")),
    "weights rounded to float16": rounded(torch.float16),
    "weights rounded to bfloat16": rounded(torch.bfloat16),
}


def mutate(name: str, models: Models) -> None:
    if name not in MUTATIONS:
        raise SystemExit(f"no such mistake: {name}; see --list-mutations")
    for model in models.each():
        MUTATIONS[name](model)
