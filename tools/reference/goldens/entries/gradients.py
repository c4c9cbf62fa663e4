"""Gradients of parts with torch's autograd."""

import torch

from ..models import Models

IGNORED = -100
# What a row is filled up with. It has no effect: masked, or after all positions that count.
FILLER = 0


def gradient(models: Models, given: dict, options: dict) -> dict:
    """The gradients with respect to `options["names"]`: inputs or tensors of the checkpoint, in order."""
    inputs = {name: models.floats(value).clone() if isinstance(value, torch.Tensor) else value for name, value in given.items()}
    parameters = dict(models.whole.named_parameters())
    wanted = [inputs[name] if name in inputs else parameters[name] for name in options["names"]]
    with torch.enable_grad():
        for tensor in wanted:
            tensor.requires_grad_(True)
        result = MODULES[options["module"]](models, inputs)
        loss = result if result.ndim == 0 else (result * inputs["gradient"]).sum()
        found = torch.autograd.grad(loss, wanted)
    outputs = {"gradients": [each.detach() for each in found]}
    return {**outputs, "loss": loss.detach().reshape(1)} if result.ndim == 0 else outputs


def language_model(models: Models, given: dict) -> torch.Tensor:
    """The loss over `targets` after a prefix and `prompt_ids`, rows of any length."""
    model, prefix = models.language, given["prefix_embeds"]
    prompts, targets = given["prompt_ids"], given["targets"]
    positions = prefix.shape[1]
    if model.config.is_encoder_decoder:
        embeds, mask = joined(model, prefix, prompts)
        return model(inputs_embeds=embeds, attention_mask=mask, labels=torch.tensor(filled(targets, IGNORED))).loss
    embeds, mask = joined(model, prefix, [[*prompt, *target] for prompt, target in zip(prompts, targets)])
    labels = [[*[IGNORED] * (positions + len(prompt)), *target] for prompt, target in zip(prompts, targets)]
    return model(inputs_embeds=embeds, attention_mask=mask, labels=torch.tensor(filled(labels, IGNORED))).loss


def filled(rows: list[list[int]], value: int) -> list[list[int]]:
    length = max(map(len, rows))
    return [[*row, *[value] * (length - len(row))] for row in rows]


def joined(model: torch.nn.Module, prefix: torch.Tensor, rows: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    """Prefix and embeddings of ids, with their mask."""
    words = model.get_input_embeddings()(torch.tensor(filled(rows, FILLER)))
    mask = filled([[1] * (prefix.shape[1] + len(row)) for row in rows], 0)
    return torch.cat([prefix, words], dim=1), torch.tensor(mask)


def bridge(models: Models, given: dict) -> torch.Tensor:
    """Query tokens, Q-Former (with text in InstructBLIP) and language projection."""
    whole, features = models.whole, given["encoder_hidden_states"]
    queries = whole.query_tokens.expand(len(features), -1, -1)
    text = {}
    if "input_ids" in given:
        mask = torch.tensor(given["attention_mask"])
        ones = torch.ones(queries.shape[:2], dtype=mask.dtype)
        text = {"input_ids": torch.tensor(given["input_ids"]), "attention_mask": torch.cat([ones, mask], dim=1)}
    states = whole.qformer(query_embeds=queries, encoder_hidden_states=features, **text).last_hidden_state
    return whole.language_projection(states[:, : queries.shape[1]])


def retrieval_projection(name: str):
    def call(models: Models, given: dict) -> torch.Tensor:
        return torch.nn.functional.normalize(getattr(models.whole, name)(given["states"]), dim=-1)

    return call


def vision_model(models: Models, given: dict) -> torch.Tensor:
    return models.encoder(given["pixel_values"]).last_hidden_state


MODULES = {
    "language_model": language_model,
    "bridge": bridge,
    "vision_projection": retrieval_projection("vision_projection"),
    "text_projection": retrieval_projection("text_projection"),
    "itm_head": lambda models, given: models.whole.itm_head(given["states"]).mean(dim=1),
    "vision_model": vision_model,
}
