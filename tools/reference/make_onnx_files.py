#!/usr/bin/env python3
"""Writes tiny `.onnx` files with `torch.onnx.export`, in the layout of optimum and transformers.js, and their outputs.

They are what `onnxVisionEncoder` and `onnxLanguageModel` are tested with: files that this repository did not write.
Needs `pip install onnx` in addition to requirements.txt.

    python make_onnx_files.py --out ../parity/cases/values/onnx-files
"""

import argparse
import json
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file

SEED = 5
IDS = [[4, 9, 2, 7, 11], [3, 3, 8, 1, 6]]
MASK = [[1, 1, 1, 1, 1], [0, 0, 1, 1, 1]]
NEXT = [[5], [10]]


class Vision(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, pixel_values):
        return self.model(pixel_values=pixel_values).last_hidden_state


class Decoder(torch.nn.Module):
    """A decoder with positions and flat keys and values, as optimum exports it."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, inputs_embeds, attention_mask, position_ids, *past):
        layers = self.model.config.num_hidden_layers
        cache = transformers.DynamicCache()
        for layer in range(layers):
            cache.update(past[2 * layer], past[2 * layer + 1], layer)
        total, new = attention_mask.shape[1], inputs_embeds.shape[1]
        keys = torch.arange(total)
        queries = torch.arange(total - new, total)
        allowed = (keys[None, :] <= queries[:, None])[None, None] & attention_mask.bool()[:, None, None, :]
        bias = torch.zeros(allowed.shape, dtype=torch.float32).masked_fill(~allowed, torch.finfo(torch.float32).min)
        out = self.model(
            inputs_embeds=inputs_embeds,
            attention_mask=bias,
            position_ids=position_ids,
            past_key_values=cache,
            use_cache=True,
        )
        present = []
        for layer in out.past_key_values.layers:
            present += [layer.keys, layer.values]
        return (out.logits, *present)


def vision():
    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        image_size=12,
        patch_size=4,
        attn_implementation="eager",
    )
    return Vision(transformers.ViTModel(config, add_pooling_layer=False).eval())


def language():
    config = transformers.LlamaConfig(
        vocab_size=24,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=24,
        max_position_embeddings=32,
        bos_token_id=1,
        eos_token_id=2,
        attn_implementation="eager",
    )
    return transformers.LlamaForCausalLM(config).eval()


def export(module, inputs, path, names, outputs, axes):
    torch.onnx.export(
        module, inputs, path, input_names=names, output_names=outputs, dynamic_axes=axes, opset_version=17, dynamo=False
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    folder = parser.parse_args().out
    (folder / "onnx").mkdir(parents=True, exist_ok=True)
    torch.set_grad_enabled(False)
    torch.manual_seed(SEED)
    tensors = {}

    encoder = vision()
    pixels = torch.randn(2, 3, 12, 12)
    tensors["pixel_values"], tensors["last_hidden_state"] = pixels, encoder(pixels)
    axes = {"pixel_values": {0: "batch_size"}, "last_hidden_state": {0: "batch_size"}}
    export(encoder, (pixels,), folder / "onnx/vision_model.onnx", ["pixel_values"], ["last_hidden_state"], axes)

    model = language()
    table = model.get_input_embeddings()
    ids = torch.tensor(IDS)
    names, outputs = ["input_ids"], ["inputs_embeds"]
    axes = {name: {0: "batch_size", 1: "sequence_length"} for name in names + outputs}
    export(table, (ids,), folder / "onnx/embed_tokens.onnx", names, outputs, axes)

    decoder = Decoder(model)
    layers = model.config.num_hidden_layers
    past = [f"past_key_values.{layer}.{kind}" for layer in range(layers) for kind in ("key", "value")]
    present = [name.replace("past_key_values", "present") for name in past]
    names = ["inputs_embeds", "attention_mask", "position_ids", *past]
    axes = {
        "inputs_embeds": {0: "batch_size", 1: "sequence_length"},
        "attention_mask": {0: "batch_size", 1: "past_sequence_length + 1"},
        "position_ids": {0: "batch_size", 1: "sequence_length"},
        "logits": {0: "batch_size", 1: "sequence_length"},
        **{name: {0: "batch_size", 2: "past_sequence_length"} for name in past},
        **{name: {0: "batch_size", 2: "past_sequence_length + 1"} for name in present},
    }
    mask = torch.tensor(MASK)
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    traced_past = [torch.zeros(2, 2, 3, 4) for _ in past]
    traced_mask = torch.cat([torch.ones(2, 3, dtype=torch.int64), mask], 1)
    path = folder / "onnx/decoder_model_merged.onnx"
    export(decoder, (table(ids), traced_mask, positions, *traced_past), path, names, ["logits", *present], axes)

    # The first step and the next one, in PyTorch.
    empty = [torch.zeros(2, 2, 0, 4) for _ in past]
    logits, *keys = decoder(table(ids), mask, positions, *empty)
    tensors["logits"] = logits[:, -1:]
    grown = torch.cat([mask, torch.ones(2, 1, dtype=torch.int64)], 1)
    following = grown.sum(1, keepdim=True) - 1
    tensors["next_logits"] = decoder(table(torch.tensor(NEXT)), grown, following, *keys)[0]

    save_file({name: value.contiguous() for name, value in tensors.items()}, folder / "expected.safetensors")
    (folder / "config.json").write_text(json.dumps(json.loads(model.config.to_json_string()), indent=1) + "\n")
    stated = {"ids": IDS, "mask": MASK, "next": NEXT, "made_with": {"torch": torch.__version__}}
    (folder / "expected.json").write_text(json.dumps(stated) + "\n")


if __name__ == "__main__":
    main()
