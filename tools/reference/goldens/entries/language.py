"""The language model without images: forward passes and generation."""

from collections.abc import Callable

import torch

from ..manifest import Recorder
from ..models import Models
from .generation import RECORDED, add_steady, written
from .inputs import PROMPTS, CaseInputs, tensors


# What HF returns for each layer: of a decoder-only model, or of an encoder and a decoder.
STATES = (
    "hidden_states", "attentions",
    "encoder_hidden_states", "encoder_attentions", "decoder_hidden_states", "decoder_attentions", "cross_attentions",
)


def add_language(recorder: Recorder, inputs: CaseInputs) -> None:
    prompt = inputs.prompt(*PROMPTS[:3], images=False)
    decoder = {"decoder_input_ids": [[0, 5, 9, 12, 7], [0, 8, 8, 20, 31], [0, 6, 3, 14, 11]]} if inputs.spec.is_t5 else {}
    add_forward(recorder, inputs, "ids", {**prompt, **decoder})
    width = recorder.model.language.get_input_embeddings().embedding_dim
    embeds = {"inputs_embeds": inputs.noise(2, 9, width), "attention_mask": [[1] * 9, [1] * 4 + [0] * 2 + [1] * 3]}
    add_forward(recorder, inputs, "embeds", {**embeds, **{name: rows[:2] for name, rows in decoder.items()}}, note="a hole in the mask, as padding between image and text makes it")
    if not inputs.spec.is_t5:
        small = {"inputs_embeds": inputs.noise(1, 7, width, scale=1e-2) - positions(recorder, 7, width), "attention_mask": [[1] * 7]}
        add_forward(recorder, inputs, "small_embeds", small, note="so small after adding positions that the epsilon of a first norm matters")
    for label, options in {"greedy": {"max_new_tokens": 8, "output_scores": True}, "beams3": {"max_new_tokens": 8, "num_beams": 3}}.items():
        add_generate(recorder, inputs, label, [1, 2], options)
    add_generate(recorder, inputs, "batch", [3, 3], {"max_new_tokens": 8})


def positions(recorder: Recorder, count: int, width: int) -> torch.Tensor:
    """OPT's embeddings of the first positions; empty if embeddings are narrower than the layers."""
    table = recorder.model.language.model.decoder.embed_positions
    rows = table.weight[table.offset : table.offset + count]
    return rows if rows.shape[1] == width else torch.zeros(count, width)


def add_forward(recorder: Recorder, inputs: CaseInputs, label: str, given: dict, note: str | None = None) -> None:
    mask = given["attention_mask"]
    rows = {"encoder_last_hidden_state" if inputs.spec.is_t5 else "logits": mask} if any(0 in row for row in mask) else None
    recorder.add(f"language_model/{label}", "language_model_forward", given, lambda models: forward(models, given), compare_rows=rows, note=note)


def forward(models: Models, given: dict, **options) -> dict:
    """The outputs of the language model that a case records, as far as HF returns them."""
    arguments = {name: models.floats(value) if isinstance(value, torch.Tensor) else torch.tensor(value) for name, value in given.items()}
    out = models.language(**arguments, **options)
    outputs = {"logits": out.logits, **({"loss": out.loss.reshape(1)} if "labels" in given else {})}
    if "encoder_last_hidden_state" in out:
        outputs["encoder_last_hidden_state"] = out.encoder_last_hidden_state
    return {**outputs, **{name: list(out[name]) for name in STATES if name in out}}


def add_generate(recorder: Recorder, inputs: CaseInputs, label: str, sizes: list[int], options: dict) -> None:
    def calls(texts: list[str]):
        prompt = inputs.prompt(*texts, images=False)
        return prompt, generator(inputs, prompt, options)

    add_steady(recorder, inputs, f"language_model_generate/{label}", "language_model_generate", calls, sizes[0], options)


def generator(inputs: CaseInputs, prompt: dict, options: dict) -> Callable:
    skip = 1 if inputs.spec.is_t5 else len(prompt["input_ids"][0])

    def call(models: Models, **more) -> dict:
        out = models.language.generate(**tensors(prompt), **{**options, **more, **RECORDED})
        return written(inputs, out, skip, options)

    return call
