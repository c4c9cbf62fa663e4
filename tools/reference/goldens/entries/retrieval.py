"""Image-text retrieval: matching head, cosines, and the two encoders with projection."""

import torch

from ..manifest import Recorder
from ..models import Models
from ..images import IMAGES
from .inputs import PROMPTS, CaseInputs, tensors

OUTPUTS = ("logits_per_image", "logits_per_text", "text_embeds", "image_embeds")


def add_retrieval(recorder: Recorder, inputs: CaseInputs) -> None:
    names = list(IMAGES)
    one, batch = inputs.images(names[0]), inputs.images(*names)
    add_pair(recorder, inputs, "itm/single", one, PROMPTS[1:2], matching=True)
    add_pair(recorder, inputs, "itm/batch", batch, PROMPTS[: len(names)], matching=True)
    add_pair(recorder, inputs, "itc/single", one, PROMPTS[1:2], matching=False)
    add_pair(recorder, inputs, "itc/grid", batch, PROMPTS[:4], matching=False)
    add_halves(recorder, inputs, one, batch)


def add_pair(recorder: Recorder, inputs: CaseInputs, name: str, pixels: torch.Tensor, texts: list[str], matching: bool) -> None:
    prompt = inputs.prompt(*texts)

    padding = {"text_embeds": [[1] * inputs.spec.queries + row for row in prompt["attention_mask"]]} if matching else None
    options = {"use_image_text_matching_head": True} if matching else {}
    recorder.add(name, "image_text_retrieval", {"pixel_values": pixels, **prompt}, lambda models: pair(models, pixels, prompt, matching), options=options, compare_rows=padding, made_from={"text": texts})


def pair(models: Models, pixels: torch.Tensor, prompt: dict, matching: bool) -> dict:
    out = models.whole(pixel_values=models.floats(pixels), **tensors(prompt), use_image_text_matching_head=matching)
    return {output: out[output] for output in OUTPUTS}


def add_halves(recorder: Recorder, inputs: CaseInputs, one: torch.Tensor, batch: torch.Tensor) -> None:
    single, many = inputs.prompt(PROMPTS[0]), inputs.prompt(*PROMPTS[:3])

    recorder.add("text_model/one", "text_model_with_projection", single, lambda models: text(models, single, True))
    padding = {name: many["attention_mask"] for name in ("text_embeds", "last_hidden_state")}
    recorder.add("text_model/batch", "text_model_with_projection", many, lambda models: text(models, many, False), compare_rows=padding)
    recorder.add("vision_model/one", "vision_model_with_projection", {"pixel_values": one}, lambda models: vision(models, one))
    recorder.add("vision_model/batch", "vision_model_with_projection", {"pixel_values": batch}, lambda models: vision(models, batch))


def text(models: Models, prompt: dict, states: bool) -> dict:
    out = models.text(**tensors(prompt), output_hidden_states=True, output_attentions=True)
    outputs = {"text_embeds": out.text_embeds, "last_hidden_state": out.last_hidden_state}
    return {**outputs, "hidden_states": list(out.hidden_states), "attentions": list(out.attentions)} if states else outputs


def vision(models: Models, pixels: torch.Tensor) -> dict:
    out = models.vision(pixel_values=models.floats(pixels), output_hidden_states=True)
    return {"image_embeds": out.image_embeds, "last_hidden_state": out.last_hidden_state, "hidden_states": list(out.hidden_states)}
