#!/usr/bin/env python3
"""Adds gradients to committed cases: entries of the kind `gradient`, computed by torch's autograd from their checkpoints.

Inputs are drawn with the seed of the case. Entries that exist are replaced. The tolerance is ten times the rounding of
float32, found by computing in float64 too.
"""

import argparse
import json
import math
import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save_file

from goldens.compare import largest_difference
from goldens.entries.gradients import gradient
from goldens.manifest import ROOM
from goldens.models import keep_float64, load_models
from goldens.remakes.case import RecordedCase

# The smallest tolerance: gradients are compared relative to their largest element.
RELATIVE = 1e-5
RTOL = 1e-4
IMAGES = 2
PATCHES = 5
PROMPTS = [[3, 7], [5]]
TARGETS = [[9, 12, 6, 11, 8], [14, 6, 13]]
# The manifest: what separates its head from its entries, what ends it, and the description of the kind.
ENTRIES, END = ',\n "entries": [\n', "\n ]\n}"
PYTHON = "torch.autograd.grad(...)"
# Tensors of the Q-Former, below its first layer.
LAYER = (
    "attention.attention.query.weight", "attention.attention.value.bias", "attention.output.LayerNorm.weight",
    "crossattention.attention.key.weight", "crossattention.output.dense.bias",
    "intermediate_query.dense.weight", "output_query.LayerNorm.bias",
)
TEXT = ("embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight", "encoder.layer.0.intermediate.dense.bias")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="+", help="folder of a case")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_grad_enabled(False)
    torch.set_num_threads(1)
    keep_float64()
    for folder in parser.parse_args().folder:
        add_gradients(RecordedCase(folder))


def add_gradients(case: RecordedCase) -> None:
    generator = torch.Generator().manual_seed(case.manifest["seed"] or 1)
    precise = load_models(case.folder / "checkpoint", case.spec, torch.float64)
    entries = [entry for entry in case.manifest["entries"] if entry["kind"] != "gradient"]
    tensors = {name: tensor for name, tensor in case.stored.items() if not name.startswith("gradient/")}

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator)

    for module, given, names in calls(case, draw):
        name, options = f"gradient/{module}", {"module": module, "names": names}
        outputs = gradient(case.models, scaled(case, given, options), options)
        rounding = largest_difference(outputs, gradient(precise, given, options), None)
        largest = max(each.abs().max().item() for each in outputs["gradients"])
        atol = float(f"{max(ROOM * rounding, RELATIVE * largest):.0e}")
        entry = {"name": name, "kind": "gradient", "inputs": {}, "options": options, "outputs": {}}
        for key, value in given.items():
            entry["inputs"][key] = stored(tensors, f"{name}/{key}", value)
        for key, value in outputs.items():
            entry["outputs"][key] = stored(tensors, f"{name}/{key}", value)
        entries.append({**entry, "tolerance": {"atol": atol, "rtol": RTOL}, "rounding": float(f"{rounding:.1e}")})
        count = sum(each.numel() for each in outputs["gradients"])
        print(f"{case.folder.name}  {name}: {count} elements, largest {largest:.3g}, rounding {rounding:.1e}, atol {atol:.0e}")
        assert math.isfinite(largest) and atol < 1e-3 * largest
    write(case, entries, tensors)


def scaled(case: RecordedCase, given: dict, options: dict) -> dict:
    """The same inputs with a smaller given gradient, so that the largest one that follows from it is about 1."""
    if "gradient" in given:
        largest = max(each.abs().max().item() for each in gradient(case.models, given, options)["gradients"])
        given["gradient"] *= 2.0 ** -math.ceil(math.log2(largest))
    return given


def stored(tensors: dict, name: str, value: object) -> object:
    if isinstance(value, torch.Tensor):
        tensors[name] = value.contiguous().clone()
        return {"tensor": name}
    if isinstance(value, list) and isinstance(value[0], torch.Tensor):
        return {"tensors": [stored(tensors, f"{name}/{index}", each)["tensor"] for index, each in enumerate(value)]}
    return value


def calls(case: RecordedCase, draw) -> list[tuple[str, dict, list[str]]]:
    """Modules of a case, with the inputs of the call and what is differentiated."""
    whole, family = case.models.whole, case.spec.family
    if family == "vision":
        config = whole.config.vision_config if hasattr(whole.config, "vision_config") else whole.config
        pixels = draw(1, 3, config.image_size, config.image_size)
        states = case.models.encoder(pixels).last_hidden_state
        return [("vision_model", {"pixel_values": pixels, "gradient": draw(*states.shape)}, ["pixel_values"])]
    found = []
    if case.models.language is not None:
        width = case.models.language.get_input_embeddings().embedding_dim
        size = case.models.language.get_input_embeddings().weight.std().item()
        prefix = size * draw(IMAGES, 4, width)
        found.append(("language_model", {"prefix_embeds": prefix, "prompt_ids": PROMPTS, "targets": TARGETS}, ["prefix_embeds"]))
    if family in ("generation", "instruct"):
        found.append(bridge_call(case, draw))
    if family == "retrieval":
        width = whole.qformer.config.hidden_size if hasattr(whole, "qformer") else whole.config.qformer_config.hidden_size
        for module in ("vision_projection", "text_projection", "itm_head"):
            out = getattr(whole, module).out_features
            shape = (IMAGES, out) if module == "itm_head" else (IMAGES, 4, out)
            given = {"states": draw(IMAGES, 4, width), "gradient": draw(*shape)}
            found.append((module, given, ["states", f"{module}.weight", f"{module}.bias"]))
    return found


def bridge_call(case: RecordedCase, draw) -> tuple[str, dict, list[str]]:
    whole = case.models.whole
    config = whole.config.qformer_config
    queries = whole.query_tokens.shape[1]
    given = {
        "encoder_hidden_states": draw(IMAGES, PATCHES, config.encoder_hidden_size),
        "gradient": draw(IMAGES, queries, whole.language_projection.out_features),
    }
    names = ["query_tokens", *[f"qformer.encoder.layer.0.{name}" for name in LAYER], "language_projection.weight", "language_projection.bias"]
    if case.spec.family == "instruct":
        given |= {"input_ids": [[5, 6, 7, 6], [8, 9, 0, 0]], "attention_mask": [[1, 1, 1, 1], [1, 1, 0, 0]]}
        names += [f"qformer.{name}" for name in TEXT]
    return "bridge", given, names


def write(case: RecordedCase, entries: list[dict], tensors: dict) -> None:
    """The text of other entries is kept: a manifest has one line for each entry, or is one line."""
    file = case.folder / "golden.json"
    text = file.read_text("utf-8")
    added = [json.dumps(entry) for entry in entries if entry["kind"] == "gradient"]
    if text.startswith('{"'):
        manifest = {**case.manifest, "entries": entries}
        manifest["kinds"]["gradient"] = PYTHON
        file.write_text(json.dumps(manifest) + ("\n" if text.endswith("\n") else ""), "utf-8")
    else:
        head, body = text.rstrip().split(ENTRIES)
        lines = [line for line in body.removesuffix(END).split(",\n") if not line.startswith('  {"name": "gradient/')]
        if '"kinds": {' in head and '"gradient":' not in head:
            head = head.replace('"kinds": {', f'"kinds": {{\n  "gradient": "{PYTHON}",')
        file.write_text(head + ENTRIES + ",\n".join([*lines, *[f"  {line}" for line in added]]) + END + text[len(text.rstrip()) :], "utf-8")
    tensor_file = case.folder / "golden.safetensors"
    with safe_open(tensor_file, "pt") as opened:
        metadata = opened.metadata()
    save_file(tensors, tensor_file, metadata)


if __name__ == "__main__":
    main()
