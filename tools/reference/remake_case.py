#!/usr/bin/env python3
"""Recomputes the outputs of a committed case of a single part, from its checkpoint and its recorded inputs.

The weights of these cases (`clip`, `llama`, `values/opt-bare`, `values/opt-post-norm`) are random and fixed: the checkpoint is the source. Prints the
largest difference of each entry; with --write, stores the new outputs.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file

# As when the cases were recorded: the order of summation depends on it.
THREADS = 2
DIGITS = 7


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="+", help="folder of a case")
    parser.add_argument("--write", action="store_true", help="store the outputs")
    arguments = parser.parse_args()
    torch.set_num_threads(THREADS)
    torch.set_grad_enabled(False)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    for folder in arguments.folder:
        (remake_case if (folder / "golden.json").exists() else remake_values)(folder, arguments.write)
    return 0


def load(folder: Path, name: str) -> torch.nn.Module:
    return getattr(transformers, name).from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def remake_case(folder: Path, write: bool) -> None:
    """A case in the format `blip2-golden/1`."""
    manifest = json.loads((folder / "golden.json").read_text("utf-8"))
    stored = load_file(folder / "golden.safetensors")
    model = load(folder / "checkpoint", manifest["architecture"])
    for entry in manifest["entries"]:
        outputs = call(model, entry, stored)
        largest = 0.0
        for name, value in entry["outputs"].items():
            if isinstance(value, list):
                assert outputs[name] == value, f"{entry['name']}: {name} differs"
                continue
            names, tensors = ([value["tensor"]], [outputs[name]]) if "tensor" in value else (value["tensors"], outputs[name])
            for tensor_name, tensor in zip(names, tensors, strict=True):
                tensor = tensor.reshape(stored[tensor_name].shape).contiguous()
                if name in entry.get("compare_rows", {}):
                    tensor = tensor * torch.tensor(entry["compare_rows"][name], dtype=tensor.dtype).unsqueeze(-1)
                largest = max(largest, (tensor - stored[tensor_name]).abs().max().item())
                stored[tensor_name] = tensor
        print(f"{manifest['case']}  {entry['name']}  largest difference {largest:.1e}")
    if write:
        save_file(stored, folder / "golden.safetensors")


def call(model: torch.nn.Module, entry: dict, stored: dict[str, torch.Tensor]) -> dict:
    inputs = {name: stored[value["tensor"]] if isinstance(value, dict) else torch.tensor(value) for name, value in entry["inputs"].items()}
    states = {"output_hidden_states": True, "output_attentions": True}
    if entry["kind"] == "vision_forward":
        return dict(model.vision_model(**inputs, **entry["options"], **states))
    if entry["kind"] == "language_model_forward":
        return dict(model(**inputs, **states))
    out = model.generate(**inputs, do_sample=False, return_dict_in_generate=True, output_scores=True, **entry["options"])
    return {"new_tokens": out.sequences[:, inputs["input_ids"].shape[1] :].tolist(), "scores": list(out.scores)}


def remake_values(folder: Path, write: bool) -> None:
    """The outputs of a language model as JSON, rounded to seven digits."""
    file = folder / "values.json"
    values = json.loads(file.read_text("utf-8"))
    ids = torch.tensor(values["inputIds"])
    mask = torch.tensor(values["attentionMask"])
    out = load(folder, "OPTForCausalLM")(input_ids=ids, attention_mask=mask, labels=ids, output_hidden_states=True, output_attentions=True)
    made = {
        **values, "loss": [rounded(out.loss.item())], "logits": described(out.logits),
        "hiddenStates": [described(tensor) for tensor in out.hidden_states], "attentions": [described(tensor) for tensor in out.attentions],
    }
    print(f"{folder.name}  {'equal' if made == values else 'DIFFERENT'}")
    if write:
        file.write_text(json.dumps(made), "utf-8")


def rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def described(tensor: torch.Tensor) -> dict:
    return {"dims": list(tensor.shape), "data": [rounded(value) for value in tensor.reshape(-1).tolist()]}


if __name__ == "__main__":
    sys.exit(main())
