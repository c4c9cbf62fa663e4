"""A committed case: its manifest, tensors, checkpoint and images."""

import json
from functools import cached_property
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from transformers import PreTrainedTokenizerFast

from ..compare import largest_difference, largest_ratio
from ..entries.inputs import CaseInputs
from ..manifest import zero_padding
from ..models import Models, load_image_processor, load_models, load_processor
from ..spec import Spec
from .legacy import legacy_models


class RecordedCase:
    """Models and processors are loaded when first used: `logits` has neither, and a part alone has no processor."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = json.loads((folder / "golden.json").read_text("utf-8"))
        self.stored = load_file(folder / "golden.safetensors")
        self.made: dict[str, torch.Tensor] = {}

    @cached_property
    def spec(self) -> Spec:
        return Spec(self.manifest["case"], json.loads((self.folder / "checkpoint/config.json").read_text("utf-8")))

    @cached_property
    def models(self) -> Models:
        if self.spec.family == "timm":
            # timm is in no other environment.
            from ..timm_models import load_timm

            return load_timm(self.folder / "checkpoint", self.spec, torch.float32)
        models = load_models(self.folder / "checkpoint", self.spec, torch.float32)
        is_legacy = self.spec.family == "generation" and self.spec.image_token is None
        return legacy_models(models) if is_legacy else models

    @cached_property
    def inputs(self) -> CaseInputs:
        checkpoint = self.folder / "checkpoint"
        has_tokenizer = (checkpoint / "tokenizer.json").exists()
        processor, tokenizer = load_processor(checkpoint, self.spec) if has_tokenizer else (None, None)
        if self.spec.family == "timm":
            from ..timm_models import timm_processor

            processor = timm_processor(self.spec)
        if self.spec.family == "vision" and (checkpoint / "preprocessor_config.json").exists():
            processor = load_image_processor(checkpoint)
        if type(tokenizer).__name__ == "LlamaTokenizer":
            # That class builds a normalizer that differs from the one in tokenizer.json, which the cases follow.
            tokenizer = processor.tokenizer = PreTrainedTokenizerFast.from_pretrained(checkpoint)
        return CaseInputs(self.spec, self.folder / "images", processor, tokenizer)

    def resolve(self, value: object) -> object:
        """A value of the manifest, with its tensors."""
        if not isinstance(value, dict):
            return value
        if "tensor" in value:
            return self.stored[value["tensor"]]
        tensors = [self.stored[name] for name in value.get("tensors") or value["concat"]]
        return tensors if "tensors" in value else torch.cat(tensors)

    def compare(self, entry: dict, outputs: dict) -> tuple[float, float]:
        """The largest difference, and the largest ratio to the tolerance: infinite if an exact value differs."""
        expected = {name: self.resolve(value) for name, value in entry["outputs"].items()}
        rows = entry.get("compare_rows")
        self.keep(entry, zero_padding({name: outputs[name] for name in expected}, rows))
        return largest_difference(expected, outputs, rows), largest_ratio(expected, outputs, rows, entry["tolerance"])

    def keep(self, entry: dict, outputs: dict) -> None:
        """Keeps the tensors that differ from the stored ones. Padding can be stored as 0 or -0, which are equal."""
        for name, value in entry["outputs"].items():
            if not isinstance(value, dict):
                continue
            single = "tensor" in value
            tensors = zip([value["tensor"]], [outputs[name]]) if single else zip(value["tensors"], outputs[name])
            for key, tensor in tensors:
                if not torch.equal(tensor, self.stored[key]):
                    self.made[key] = tensor.contiguous().clone()

    def write(self) -> None:
        """Stores the tensors that differ. All others stay as they are."""
        file = self.folder / "golden.safetensors"
        with safe_open(file, "pt") as opened:
            metadata = opened.metadata()
        save_file({**self.stored, **self.made}, file, metadata)
