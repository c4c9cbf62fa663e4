#!/usr/bin/env python3
"""Makes a golden case of a vision encoder, of any class of Hugging Face Transformers (HF).

Weights are large, so that every tensor matters. Images are processed by the case's `preprocessor_config.json`, if its configuration file has one.
"""

import json
import os
import shutil
import sys
from pathlib import Path

# One thread: the same seed gives the same bytes.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import transformers

from goldens.entries.inputs import CaseInputs
from goldens.entries.parts import vision
from goldens.images import IMAGES, draw_images
from goldens.manifest import PIXEL_TOLERANCE, Recorder, write_manifest
from goldens.models import load_image_processor, load_models
from goldens.program import make_from_config
from goldens.spec import Spec

# Standard deviation of all weights. That of norms and layer scales is around 1.
DEVIATION = 0.3
AROUND_ONE = ("norm", "layer_scale")


def make_case(spec: Spec, folder: Path, file: dict) -> bool:
    checkpoint = folder / "checkpoint"
    shutil.rmtree(folder, ignore_errors=True)
    checkpoint.mkdir(parents=True)
    write_json(checkpoint / "config.json", spec.config)
    config = transformers.AutoConfig.from_pretrained(checkpoint, attn_implementation="eager")
    write_weights(getattr(transformers, spec.architecture)(config), spec, checkpoint)
    recorder = Recorder(load_models(checkpoint, spec, torch.float32), load_models(checkpoint, spec, torch.float64), None)
    size, patch = spec.image_size, spec.patch_size
    try:
        add_forward(recorder, "vision/batch", noise(spec, 2, size, size))
        # More rows than columns, both cut to whole patches.
        add_forward(recorder, "vision/interpolated", noise(spec, 1, 7 * patch + 1, 3 * patch + 2), interpolate_pos_encoding=True)
    except SystemExit as rejected:
        print(f"seed {spec.seed}: {rejected}")
        return False
    images = {}
    if "preprocessor" in file:
        write_json(checkpoint / "preprocessor_config.json", file["preprocessor"])
        images = draw_images(folder / "images")
        add_pixels(recorder, CaseInputs(spec, folder / "images", load_image_processor(checkpoint), None))
    write_manifest(folder, spec, images, recorder)
    total = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"{spec.name}: seed {spec.seed}, {len(recorder.entries)} entries, {total / 1e6:.2f} MB")
    return True


def write_json(file: Path, content: dict) -> None:
    file.write_text(json.dumps(content, indent=2) + "\n", "utf-8")


def noise(spec: Spec, *shape: int) -> torch.Tensor:
    count, height, width = shape
    generator = torch.Generator().manual_seed(spec.seed)
    return torch.randn((count, 3, height, width), generator=generator)


def write_weights(model: torch.nn.Module, spec: Spec, folder: Path) -> None:
    generator = torch.Generator().manual_seed(spec.seed)
    for name, parameter in model.named_parameters():
        around_one = any(part in name for part in AROUND_ONE) and not name.endswith("bias")
        parameter.copy_(torch.randn(parameter.shape, generator=generator) * DEVIATION + (1 if around_one else 0))
    model.save_pretrained(folder)
    # HF writes the configuration in full. The one that was given is kept: its absent fields have defaults.
    write_json(folder / "config.json", spec.config)


def add_forward(recorder: Recorder, name: str, pixels: torch.Tensor, **options) -> None:
    wanted = ("last_hidden_state", "pooler_output", "hidden_states", "attentions")
    recorder.add(name, "vision_forward", {"pixel_values": pixels}, lambda models: vision(models, pixels, wanted, **options), options=options)


def add_pixels(recorder: Recorder, inputs: CaseInputs) -> None:
    for name in IMAGES:
        recorder.add(
            f"pixel_values/{name}", "image_processor", {"images": [name]}, lambda _, name=name: {"pixel_values": inputs.images(name)}, tolerance=PIXEL_TOLERANCE,
        )


if __name__ == "__main__":
    sys.exit(make_from_config(__doc__, make_case))
