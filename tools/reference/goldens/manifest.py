"""The manifest `blip2-golden/1` and its tensors."""

import hashlib
import json
import math
import platform
from importlib.metadata import version
from pathlib import Path

import torch
from safetensors.torch import save_file

from .compare import largest_difference, largest_ratio
from .models import Models
from .spec import Spec

FORMAT = "blip2-golden/1"
DEFAULT_TOLERANCE = {"atol": 1e-4, "rtol": 1e-4}
PIXEL_TOLERANCE = {"atol": 1e-5, "rtol": 0.0}
EXACT = {"atol": 0.0, "rtol": 0.0}
# The tolerance is this many times the rounding of HF itself.
ROOM = 10


class TensorStore:
    """Tensors by name. Equal contents are stored once."""

    def __init__(self) -> None:
        self.tensors: dict[str, torch.Tensor] = {}
        self.names: dict[str, str] = {}

    def put(self, name: str, tensor: torch.Tensor) -> str:
        tensor = tensor.detach().to(torch.uint8 if tensor.dtype == torch.uint8 else torch.float32).contiguous().clone()
        known = self.names.setdefault(digest(tensor), name)
        if known == name:
            self.tensors[name] = tensor
        return known

    def refer(self, name: str, value: object, is_input: bool) -> object:
        """The value in the form of the manifest."""
        if isinstance(value, torch.Tensor):
            rows = self.known_rows(value) if is_input and len(value) > 1 else None
            return {"concat": rows} if rows else {"tensor": self.put(name, value)}
        if isinstance(value, (list, tuple)) and value and isinstance(value[0], torch.Tensor):
            return {"tensors": [self.put(f"{name}/{index}", tensor) for index, tensor in enumerate(value)]}
        return value

    def known_rows(self, value: torch.Tensor) -> list[str] | None:
        names = [self.names.get(digest(row.to(torch.float32).contiguous())) for row in value.split(1)]
        return None if None in names else names


def digest(tensor: torch.Tensor) -> str:
    return hashlib.sha256(f"{tensor.dtype}{tuple(tensor.shape)}".encode() + tensor.numpy().tobytes()).hexdigest()


class Recorder:
    """Calls HF in float32 and float64, and records the outputs. With a mutation, `judged` is the mutated model."""

    def __init__(self, model: Models, precise: Models, judged: Models | None) -> None:
        self.model, self.precise, self.judged = model, precise, judged
        self.store = TensorStore()
        self.entries: list[dict] = []
        self.noticed: dict[str, float] = {}

    def add(self, name, kind, inputs, call, *, options=None, compare_rows=None, tolerance=None, **extra) -> dict:
        """Records one entry and returns its outputs. `call(models)` returns the outputs by name. `tolerance` is set if no model is involved."""
        outputs = call(self.model)
        rounding = None
        if tolerance is None:
            rounding = largest_difference(outputs, call(self.precise), compare_rows)
            tolerance = {**DEFAULT_TOLERANCE, "atol": max(DEFAULT_TOLERANCE["atol"], math.ceil(ROOM * rounding * 1e5) / 1e5)}
            if rounding > DEFAULT_TOLERANCE["atol"]:
                raise SystemExit(f"{name}: rounding is {rounding:.1e}, above the tolerance; try another seed")
        recorded = outputs
        if self.judged is not None:
            recorded = call(self.judged)
            self.noticed[name] = largest_ratio(outputs, recorded, compare_rows, tolerance)
        recorded = zero_padding(recorded, compare_rows)
        entry = {"name": name, "kind": kind}
        entry["inputs"] = {key: self.store.refer(f"{name}/{key}", value, True) for key, value in inputs.items()}
        entry["options"] = options or {}
        entry["outputs"] = {key: self.store.refer(f"{name}/{key}", value, False) for key, value in recorded.items()}
        if compare_rows:
            entry["compare_rows"] = compare_rows
        entry["tolerance"] = tolerance
        if rounding is not None:
            entry["rounding"] = float(f"{rounding:.1e}")
        entry.update({key: value for key, value in extra.items() if value is not None})
        self.entries.append(entry)
        return outputs


def zero_padding(outputs: dict, compare_rows: dict | None) -> dict:
    result = dict(outputs)
    for name, mask in (compare_rows or {}).items():
        result[name] = outputs[name] * torch.tensor(mask, dtype=outputs[name].dtype).unsqueeze(-1)
    return result


def write_manifest(folder: Path, spec: Spec, images: dict, recorder: Recorder) -> None:
    files = sorted(file.name for file in (folder / "checkpoint").iterdir())
    packages = ("timm" if spec.family == "timm" else "transformers", "torch", "tokenizers", "pillow", "safetensors")
    head = {
        "format": FORMAT, "case": spec.name, "set": "project", "description": spec.description, "architecture": spec.architecture, "seed": spec.seed,
        "made_with": {"python": platform.python_version(), **{name: version(name) for name in packages}, "attn_implementation": "eager"},
        "checkpoint": {"directory": "checkpoint", "files": files, "weights_dtype": spec.dtype, "shards": spec.shards},
        "images": images, "notes": spec.notes,
    }
    lines = ",\n".join("  " + json.dumps(entry, ensure_ascii=True) for entry in recorder.entries)
    text = json.dumps(head, indent=1)[:-2] + ',\n "entries": [\n' + lines + "\n ]\n}\n"
    (folder / "golden.json").write_text(text, "utf-8")
    save_file(recorder.store.tensors, folder / "golden.safetensors")
