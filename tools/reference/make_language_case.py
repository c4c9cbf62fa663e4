#!/usr/bin/env python3
"""Makes a golden case of a language model alone, decoder-only or encoder-decoder, of any class of Hugging Face Transformers (HF).

Unlike `make_case.py`, it records no tokenizer: ids are given. Weights are large, so that every tensor matters.
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

from goldens.entries.language import STATES
from goldens.manifest import Recorder, write_manifest
from goldens.models import Models
from goldens.program import make_from_config
from goldens.spec import Spec

# Standard deviation of all weights but those of norms.
DEVIATION = 0.3
# Smallest distance between the two largest scores of a greedy step.
MARGIN = 0.02
PADDING = 0


def make_case(spec: Spec, folder: Path, file: dict) -> bool:
    lengths = file.get("lengths", {})
    checkpoint = folder / "checkpoint"
    shutil.rmtree(folder, ignore_errors=True)
    checkpoint.mkdir(parents=True)
    (checkpoint / "config.json").write_text(json.dumps(spec.config, indent=2) + "\n", "utf-8")
    config = transformers.AutoConfig.from_pretrained(checkpoint, attn_implementation="eager")
    model = getattr(transformers, spec.architecture)(config)
    if file.get("separate_head"):
        # HF ties the heads of T5's variants unless the file contains one.
        model.lm_head.weight = torch.nn.Parameter(torch.empty_like(model.shared.weight))
    write_weights(model, spec, checkpoint)
    recorder = Recorder(load(checkpoint, spec, torch.float32), load(checkpoint, spec, torch.float64), None)
    prompt, new_tokens = lengths.get("prompt", 7), lengths.get("new_tokens", 12)
    rows = random_rows(spec, 2, prompt)
    whole = {"input_ids": rows[:1], "attention_mask": [[1] * prompt]}
    padding = prompt // 2
    padded = {
        "input_ids": [[PADDING] * padding + rows[0][padding:], rows[1]],
        "attention_mask": [[0] * padding + [1] * (prompt - padding), [1] * prompt],
    }
    labels = {"labels": [[-100, -100, *rows[0][2:]]]}
    if config.is_encoder_decoder:
        targets = [[config.decoder_start_token_id, *row] for row in random_rows(spec, 2, lengths["target"])]
        add_forward(recorder, "targets", {**whole, "decoder_input_ids": targets[:1]})
    add_forward(recorder, "ids", {**whole, **labels})
    add_forward(recorder, "padded_left", {**padded, **({"decoder_input_ids": targets} if config.is_encoder_decoder else {})})
    if "short" in lengths:
        add_forward(recorder, "short", {"input_ids": [rows[0][: lengths["short"]]], "attention_mask": [[1] * lengths["short"]]})
    clear = [add_generate(recorder, label, given, new_tokens) for label, given in (("generate", whole), ("generate_padded_left", padded))]
    if not all(clear):
        return False
    write_manifest(folder, spec, {}, recorder)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"{spec.name}: seed {spec.seed}, {len(recorder.entries)} entries, {size / 1e6:.2f} MB")
    return True


def random_rows(spec: Spec, count: int, length: int) -> list[list[int]]:
    generator = torch.Generator().manual_seed(spec.seed)
    return torch.randint(3, spec.config["vocab_size"], (count, length), generator=generator).tolist()


def write_weights(model: torch.nn.Module, spec: Spec, folder: Path) -> None:
    generator = torch.Generator().manual_seed(spec.seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator) * DEVIATION
        is_norm = parameter.ndim == 1 and "norm" in name.lower() or name.endswith(("ln_1.weight", "ln_2.weight", "ln_f.weight"))
        parameter.copy_(noise + (1 if is_norm and name.endswith("weight") else 0))
    model.save_pretrained(folder)
    # HF writes the configuration in full. The one that was given is kept: its absent fields have defaults.
    (folder / "config.json").write_text(json.dumps(spec.config, indent=2) + "\n", "utf-8")
    (folder / "generation_config.json").unlink(missing_ok=True)


def load(folder: Path, spec: Spec, dtype: torch.dtype) -> Models:
    model, info = getattr(transformers, spec.architecture).from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
    assert not info["missing_keys"], info["missing_keys"]
    model.generation_config = transformers.GenerationConfig.from_model_config(model.config)
    return Models(dtype, model.to(dtype).eval(), language=model)


def add_forward(recorder: Recorder, label: str, given: dict) -> None:
    def call(models: Models) -> dict:
        arguments = {name: torch.tensor(value) for name, value in given.items()}
        out = models.language(**arguments, output_hidden_states=True, output_attentions=True)
        loss = {"loss": out.loss.reshape(1)} if "labels" in given else {}
        return {"logits": out.logits, **{name: list(out[name]) for name in STATES if name in out}, **loss}

    recorder.add(f"language_model/{label}", "language_model_forward", given, call, compare_rows=compared(given))


def compared(given: dict) -> dict | None:
    """Padding is not compared. Hidden states and attentions of padded rows are recorded by the first entry only."""
    mask = given["attention_mask"]
    return {"logits": mask} if any(0 in row for row in mask) and "decoder_input_ids" not in given else None


def add_generate(recorder: Recorder, label: str, given: dict, new_tokens: int) -> bool:
    """Records a greedy generation. Returns whether every token is clear of the second best."""
    options = {"max_new_tokens": new_tokens, "min_new_tokens": new_tokens}
    smallest = float("inf")

    def call(models: Models) -> dict:
        nonlocal smallest
        arguments = {name: torch.tensor(value) for name, value in given.items()}
        out = models.language.generate(**arguments, **options, do_sample=False, output_scores=True, output_logits=True, return_dict_in_generate=True)
        for logits in out.logits:
            best = logits.topk(2).values
            smallest = min(smallest, (best[:, 0] - best[:, 1]).min().item())
        skip = 1 if models.language.config.is_encoder_decoder else len(given["input_ids"][0])
        return {"new_tokens": out.sequences[:, skip:].tolist(), "scores": list(out.scores)}

    try:
        recorder.add(f"language_model/{label}", "language_model_generate", given, call, options=options)
    except SystemExit:
        return False
    return smallest > MARGIN


if __name__ == "__main__":
    sys.exit(make_from_config(__doc__, make_case))
