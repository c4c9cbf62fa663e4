"""Vision encoders of timm, in the form in which the entries of a case call those of HF."""

from pathlib import Path
from types import SimpleNamespace

import timm
import timm.data
import torch
from safetensors.torch import load_file
from timm.layers import set_fused_attn

from .models import Models
from .spec import Spec

# Prefix of the encoder's tensors in models of open_clip.
CLIP_PATH = "visual.trunk."


class TimmEncoder(torch.nn.Module):
    """A model of timm called like an encoder of HF. Without fused attention, the maps can be recorded."""

    def __init__(self, fixed: torch.nn.Module, resizing: torch.nn.Module) -> None:
        super().__init__()
        self.fixed, self.resizing = fixed, resizing
        self.config = SimpleNamespace(model_type="timm")

    def forward(self, pixels: torch.Tensor, interpolate_pos_encoding: bool = False, **_) -> dict:
        model = self.resizing if interpolate_pos_encoding else self.fixed
        states, maps = [], []
        hooks = [model.blocks[0].register_forward_pre_hook(lambda _, given: states.append(given[0]))]
        for block in model.blocks:
            hooks.append(block.register_forward_hook(lambda _, __, output: states.append(output)))
            hooks.append(block.attn.attn_drop.register_forward_hook(lambda _, __, output: maps.append(output)))
        last = model.forward_features(pixels)
        for hook in hooks:
            hook.remove()
        return {"last_hidden_state": last, "pooler_output": model.forward_head(last, pre_logits=True), "hidden_states": states, "attentions": maps}


def create(config: dict, **arguments) -> torch.nn.Module:
    """The model of a `config.json` of timm, as timm itself creates it."""
    set_fused_attn(False)
    size = config["pretrained_cfg"]["input_size"][-1]
    return timm.create_model(config["architecture"], **{"img_size": size, "num_classes": config["num_classes"], **config.get("model_args", {}), **arguments})


def load_timm(checkpoint: Path, spec: Spec, dtype: torch.dtype) -> Models:
    stored = {name.removeprefix(CLIP_PATH): tensor for name, tensor in load_file(checkpoint / "model.safetensors").items()}
    models = []
    for arguments in ({}, {"dynamic_img_size": True}):
        model = create(spec.config, **arguments)
        model.load_state_dict(stored)
        models.append(model.to(dtype).eval())
    return Models(dtype, TimmEncoder(*models))


def timm_processor(spec: Spec) -> SimpleNamespace:
    """timm's transform for evaluation, called like an image processor of HF."""
    transform = timm.data.create_transform(**timm.data.resolve_data_config(pretrained_cfg=spec.config["pretrained_cfg"]))
    return SimpleNamespace(image_processor=lambda images, **_: {"pixel_values": torch.stack([transform(image) for image in images])})
