#!/usr/bin/env python3
"""Makes adapters of PEFT for the committed cases, and the outputs that PEFT computes with them.

Each folder of `../parity/cases/values/adapters` has one or more adapters, as `save_pretrained` of PEFT writes them, `adapter-case.json` (base, adapters that apply together, ids) and `golden.safetensors` (pixel values, logits or hidden states). The weights of adapters are random, and large enough that every option matters.
"""

import json
import os
import shutil
import sys
import warnings
from pathlib import Path

# One thread: the same seed gives the same bytes.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file

CASES = Path(__file__).resolve().parent.parent / "parity" / "cases"
OUT = CASES / "values" / "adapters"
TEXT = "text"
IMAGE_AND_TEXT = "image-text"
IMAGE = "image"

# Every option of LoRA that changes the result, in combinations; the base is a case of that name.
ADAPTERS = {
    "gpt2-conv1d": ("gpt2", TEXT, [dict(r=4, lora_alpha=6, target_modules=["c_attn", "c_proj", "c_fc"], fan_in_fan_out=True, use_rslora=True)]),
    "gpt2-dora-embedding": ("gpt2", TEXT, [dict(r=3, lora_alpha=3, target_modules=["c_proj", "wte"], use_dora=True)]),
    "llama-patterns": (
        "llama",
        TEXT,
        [
            dict(
                r=4,
                lora_alpha=4,
                target_modules=r".*\.(?:self_attn|mlp)\.(?!k_proj)\w+_proj",
                rank_pattern={r"^model\.layers\.1\.mlp\.up_proj": 2, "q_proj": 1},
                alpha_pattern={"q_proj": 3, r"1\.mlp\.down_proj": 16},
                modules_to_save=["input_layernorm"],
            )
        ],
    ),
    "llama-two": (
        "llama",
        TEXT,
        [
            dict(r=2, lora_alpha=4, target_modules=["q_proj", "v_proj"], use_dora=True),
            dict(r=3, lora_alpha=5, target_modules=["q_proj", "down_proj"], layers_to_transform=[1], layers_pattern="layers"),
        ],
    ),
    "qwen2-tied-head": ("qwen2", TEXT, [dict(r=2, lora_alpha=3, target_modules=["lm_head", "o_proj"], bias="all")]),
    "qwen2-embedding": ("qwen2", TEXT, [dict(r=2, lora_alpha=3, target_modules=["embed_tokens", "gate_proj"], exclude_modules=r".*\.0\..*")]),
    "opt-lora-bias": ("opt-post-norm-projections", TEXT, [dict(r=2, lora_alpha=4, target_modules=["fc1", "v_proj"], lora_bias=True)]),
    "opt-blip2": (
        "opt",
        IMAGE_AND_TEXT,
        [
            dict(
                r=2,
                lora_alpha=3,
                target_modules=["qkv", "patch_embedding", "query", "value", "language_projection", "q_proj", "fc2"],
                modules_to_save=["post_layernorm"],
            )
        ],
    ),
    "mistral-added-bias": ("mistral", TEXT, [dict(r=2, lora_alpha=3, target_modules=["o_proj", "up_proj", "lm_head"], lora_bias=True, use_rslora=True)]),
    "vit-renamed": ("vit", IMAGE, [dict(r=2, lora_alpha=3, target_modules=["q_proj", "o_proj", "fc1"])]),
}


def main() -> None:
    warnings.filterwarnings("ignore")
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    names = sys.argv[1:] or list(ADAPTERS)
    for name in names:
        make(name, *ADAPTERS[name])


def make(name: str, base: str, kind: str, options: list[dict]) -> None:
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    checkpoint = CASES / base / "checkpoint"
    adapters = []
    for index, option in enumerate(options):
        torch.manual_seed(100 * list(ADAPTERS).index(name) + index)
        adapters.append(f"adapter-{index + 1}")
        write_adapter(load(checkpoint), option, folder / adapters[-1], base)
    model = PeftModel.from_pretrained(load(checkpoint), folder / adapters[0], adapter_name=adapters[0])
    for adapter in adapters[1:]:
        model.load_adapter(folder / adapter, adapter_name=adapter)
    model.base_model.set_adapter(adapters)
    torch.manual_seed(1)
    inputs = inputs_of(model, kind)
    with torch.no_grad():
        output = run(model.eval().base_model.model, inputs)
        plain = run(load(checkpoint).eval(), inputs)
        exact = run(model.double().base_model.model, {key: to_double(value) for key, value in inputs.items()})
    error = (exact - output).abs().max().item()
    moved = (plain - output).abs().max().item()
    if error * 10 > 1e-3 or moved < 0.05:
        raise SystemExit(f"{name}: float32 differs from float64 by {error:.1e}, and the adapter changes {moved:.1e}")
    tensors = {"output": output.contiguous()}
    if "pixel_values" in inputs:
        tensors["pixel_values"] = inputs["pixel_values"]
    save_file(tensors, folder / "golden.safetensors", metadata={"format": "pt"})
    ids = {"ids": inputs["input_ids"].tolist()} if "input_ids" in inputs else {}
    case = {"base": base, "kind": kind, "adapters": adapters, "atol": max(1e-4, round(error * 10, 6)), **ids}
    (folder / "adapter-case.json").write_text(json.dumps(case, indent=2) + "\n")
    print(f"{name}: float64 differs by {error:.1e}, the adapter changes {moved:.2f}")


def load(checkpoint: Path) -> torch.nn.Module:
    architecture = json.loads((checkpoint / "config.json").read_text())["architectures"][0]
    return getattr(transformers, architecture).from_pretrained(checkpoint, dtype=torch.float32, attn_implementation="eager")


def write_adapter(model: torch.nn.Module, options: dict, folder: Path, base: str) -> None:
    peft = get_peft_model(model, LoraConfig(**options))
    for key, value in peft.named_parameters():
        if "lora_magnitude_vector" in key:
            value.data *= 1 + 0.2 * torch.randn_like(value)
        elif "lora_" in key:
            value.data = 0.3 * torch.randn_like(value)
        elif "modules_to_save" in key or (value.requires_grad and key.endswith("bias")):
            value.data += 0.1 * torch.randn_like(value)
    peft.save_pretrained(folder)
    (folder / "README.md").unlink()
    # The folder of the base is another one on each machine.
    file = folder / "adapter_config.json"
    config = json.loads(file.read_text())
    config["base_model_name_or_path"] = f"tiny/{base}"
    if isinstance(config["target_modules"], list):
        config["target_modules"].sort()
    file.write_text(json.dumps(config, indent=2) + "\n")
    weights = folder / "adapter_model.safetensors"
    save_file(load_file(weights), weights, metadata={"format": "pt"})


def inputs_of(model: torch.nn.Module, kind: str) -> dict:
    config = model.base_model.model.config
    inputs = {}
    if kind != TEXT:
        size = getattr(config, "vision_config", config).image_size
        inputs["pixel_values"] = 0.5 * torch.randn(1, 3, size, size)
    if kind == TEXT:
        inputs["input_ids"] = torch.randint(3, config.get_text_config().vocab_size, (2, 5))
    elif kind == IMAGE_AND_TEXT:
        text = torch.tensor([[5, 6, 7]])
        inputs["input_ids"] = torch.cat([torch.full((1, config.num_query_tokens), config.image_token_index), text], 1)
    return inputs


def run(model: torch.nn.Module, inputs: dict) -> torch.Tensor:
    output = model(**inputs)
    return output.logits if hasattr(output, "logits") else output.last_hidden_state


def to_double(value: torch.Tensor) -> torch.Tensor:
    return value.double() if value.is_floating_point() else value


if __name__ == "__main__":
    main()
