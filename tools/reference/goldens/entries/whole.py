"""Forward passes of the complete model, and its feature getters."""

import torch

from ..manifest import Recorder
from ..models import Models
from ..images import IMAGES
from .inputs import PROMPTS, CaseInputs, tensors

IGNORED = -100
ANSWERS = ["two cats", "a red bus", "the dog"]
T5_STATES = ("encoder_hidden_states", "encoder_attentions", "decoder_hidden_states", "decoder_attentions", "cross_attentions")


def add_whole(recorder: Recorder, inputs: CaseInputs) -> None:
    names = list(IMAGES)[: None if inputs.spec.has_own_parts else 2]
    one, batch = inputs.images(names[0]), inputs.images(*names)
    add_forward(recorder, inputs, "single_with_labels", {"pixel_values": one, **labelled(inputs, 1)}, states=True)
    add_forward(recorder, inputs, "batch_with_labels", {"pixel_values": batch, **labelled(inputs, len(names))})
    if not inputs.spec.has_own_parts:
        return
    wide = inputs.images(names[0], size={"height": 3 * inputs.spec.patch_size, "width": 5 * inputs.spec.patch_size})
    decoder = {"decoder_input_ids": [[0, 5, 9, 12]]} if inputs.spec.is_t5 else {}
    add_forward(recorder, inputs, "interpolated", {"pixel_values": wide, **inputs.prompt(PROMPTS[1]), **decoder}, interpolate_pos_encoding=True)
    if inputs.spec.is_t5:
        masked = {"decoder_input_ids": [[0, 5, 9, 12, 7]], "decoder_attention_mask": [[1, 1, 1, 1, 0]]}
        add_forward(recorder, inputs, "decoder_mask", {"pixel_values": one, **inputs.prompt(PROMPTS[0]), **masked})
    add_features(recorder, inputs, inputs.images(*names[:2]))


def labelled(inputs: CaseInputs, count: int) -> dict:
    """Prompts with labels: OPT's answers follow the prompt, T5's are decoder inputs."""
    if inputs.spec.is_t5:
        inputs.tokenizer.padding_side = "right"
        rows = inputs.tokenizer(ANSWERS[:count], padding=True)
        labels = [[token if keep else IGNORED for token, keep in zip(ids, mask)] for ids, mask in zip(rows["input_ids"], rows["attention_mask"])]
        return {**inputs.prompt(*PROMPTS[:count]), "labels": labels}
    prompt = inputs.prompt(*(f"{question} {answer}" for question, answer in zip(PROMPTS, ANSWERS[:count])))
    answer_ids = [inputs.tokenizer(" " + answer, add_special_tokens=False)["input_ids"] for answer in ANSWERS[:count]]
    labels = [[IGNORED] * (len(row) - len(answer)) + row[len(row) - len(answer):] for row, answer in zip(prompt["input_ids"], answer_ids)]
    return {**prompt, "labels": labels}


def add_forward(recorder: Recorder, inputs: CaseInputs, label: str, given: dict, states: bool = False, **options) -> None:
    pixels = given["pixel_values"]
    rows = {name: value for name, value in given.items() if name != "pixel_values"}
    flags = {"output_hidden_states": True, "output_attentions": True} if states else {}
    mask = rows["attention_mask"]
    padded = {"encoder_last_hidden_state" if inputs.spec.is_t5 else "logits": mask} if any(0 in row for row in mask) else {}
    if 0 in rows.get("decoder_attention_mask", [[1]])[0]:
        padded["logits"] = rows["decoder_attention_mask"]
    recorder.add(
        f"forward/{label}", "forward", given, lambda models: forward(models, inputs.spec.is_t5, pixels, rows, {**options, **flags}),
        options={**flags, **options}, compare_rows=padded or None,
    )


def forward(models: Models, is_t5: bool, pixels: torch.Tensor, rows: dict, options: dict) -> dict:
    """The complete model. Hidden states and attentions are those of the language model."""
    out = models.whole(pixel_values=models.floats(pixels), **tensors(rows), **options)
    inner = out.language_model_outputs
    outputs = {"logits": out.logits, **({"loss": out.loss.reshape(1)} if "labels" in rows else {})}
    if is_t5:
        outputs["encoder_last_hidden_state"] = inner.encoder_last_hidden_state
    states = T5_STATES if is_t5 else ("hidden_states", "attentions")
    return {**outputs, **{name: list(inner[name]) for name in states if inner.get(name) is not None}}


def add_features(recorder: Recorder, inputs: CaseInputs, pixels: torch.Tensor) -> None:
    prompt = inputs.prompt(*PROMPTS[:2], images=False)
    recorder.add("base_model/get_image_features", "get_image_features", {"pixel_values": pixels}, lambda models: image_features(models, pixels))
    recorder.add("base_model/get_qformer_features", "get_qformer_features", {"pixel_values": pixels}, lambda models: qformer_features(models, pixels))
    recorder.add(
        "base_model/get_text_features", "get_text_features", prompt, lambda models: text_features(models, prompt),
        compare_rows={"last_hidden_state": prompt["attention_mask"]},
    )


def image_features(models: Models, pixels: torch.Tensor) -> dict:
    out = models.base.get_image_features(models.floats(pixels))
    return {"last_hidden_state": out.last_hidden_state, "pooler_output": out.pooler_output}


def qformer_features(models: Models, pixels: torch.Tensor) -> dict:
    out = models.base.get_qformer_features(models.floats(pixels))
    return {"last_hidden_state": out if isinstance(out, torch.Tensor) else out.last_hidden_state}


def text_features(models: Models, prompt: dict) -> dict:
    return {"last_hidden_state": models.base.get_text_features(**tensors(prompt)).last_hidden_state}
