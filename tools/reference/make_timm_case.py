#!/usr/bin/env python3
"""Makes a golden case of a vision encoder of timm, which needs requirements-timm.txt.

Weights are large, so that every tensor matters. Images are processed as `pretrained_cfg` says.
"""

import os
import shutil
import sys
from pathlib import Path

# One thread: the same seed gives the same bytes.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from safetensors.torch import save_file

from goldens.entries.inputs import CaseInputs
from goldens.images import draw_images
from goldens.manifest import Recorder, write_manifest
from goldens.program import make_from_config
from goldens.spec import Spec
from goldens.timm_models import CLIP_PATH, create, load_timm, timm_processor
from make_vision_case import DEVIATION, add_forward, add_pixels, noise, write_json

AROUND_ONE = ("norm", "gamma")


def make_case(spec: Spec, folder: Path, file: dict) -> bool:
    checkpoint = folder / "checkpoint"
    shutil.rmtree(folder, ignore_errors=True)
    checkpoint.mkdir(parents=True)
    write_json(checkpoint / "config.json", spec.config)
    write_weights(spec, checkpoint, CLIP_PATH if file.get("open_clip") else "")
    recorder = Recorder(load_timm(checkpoint, spec, torch.float32), load_timm(checkpoint, spec, torch.float64), None)
    size, patch = spec.config["pretrained_cfg"]["input_size"][-1], spec.config["model_args"]["patch_size"]
    try:
        add_forward(recorder, "vision/batch", noise(spec, 2, size, size))
        # More rows and fewer columns than the image size.
        add_forward(recorder, "vision/interpolated", noise(spec, 1, 7 * patch, 3 * patch), interpolate_pos_encoding=True)
    except SystemExit as rejected:
        print(f"seed {spec.seed}: {rejected}")
        return False
    images = draw_images(folder / "images")
    add_pixels(recorder, CaseInputs(spec, folder / "images", timm_processor(spec), None))
    write_manifest(folder, spec, images, recorder)
    total = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"{spec.name}: seed {spec.seed}, {len(recorder.entries)} entries, {total / 1e6:.2f} MB")
    return True


def write_weights(spec: Spec, checkpoint: Path, prefix: str) -> None:
    model = create(spec.config)
    generator = torch.Generator().manual_seed(spec.seed)
    for name, parameter in model.named_parameters():
        around_one = any(part in name for part in AROUND_ONE) and not name.endswith("bias")
        parameter.copy_(torch.randn(parameter.shape, generator=generator) * DEVIATION + (1 if around_one else 0))
    save_file({prefix + name: tensor.contiguous() for name, tensor in model.state_dict().items()}, checkpoint / "model.safetensors", {"format": "pt"})


if __name__ == "__main__":
    sys.exit(make_from_config(__doc__, make_case))
