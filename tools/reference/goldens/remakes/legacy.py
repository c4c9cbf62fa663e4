"""BLIP-2 without an image token, which HF 5.18 cannot run.

As in transformers 4.27 to 4.49: the language model receives [projected queries; text embeddings], and generates from
embeddings only.
"""

from dataclasses import replace

import torch
from torch.nn.functional import cross_entropy
from transformers.modeling_outputs import ModelOutput

from ..models import Models


def legacy_models(models: Models) -> Models:
    return replace(models, whole=LegacyModel(models.whole))


class LegacyModel:
    """Has the parts of a decoder-only model of HF, and its own calls."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.model = model

    def __getattr__(self, name: str) -> object:
        return getattr(self.model, name)

    def __call__(self, pixel_values, input_ids, attention_mask=None, labels=None, **options) -> ModelOutput:
        embeds, mask = self.prompt(pixel_values, input_ids, attention_mask)
        out = self.model.language_model(inputs_embeds=embeds, attention_mask=mask, **options)
        loss = None
        if labels is not None:
            logits = out.logits[:, -labels.shape[1] : -1]
            loss = cross_entropy(logits.flatten(0, 1), labels[:, 1:].flatten())
        return ModelOutput(loss=loss, logits=out.logits, language_model_outputs=out)

    def generate(self, pixel_values, input_ids=None, attention_mask=None, **options) -> ModelOutput:
        if input_ids is None:
            input_ids = torch.full((len(pixel_values), 1), self.model.config.text_config.bos_token_id)
        embeds, mask = self.prompt(pixel_values, input_ids, attention_mask)
        return self.model.language_model.generate(inputs_embeds=embeds, attention_mask=mask, **options)

    def prompt(self, pixels, ids, mask) -> tuple[torch.Tensor, torch.Tensor]:
        image = self.model.vision_model(pixels).last_hidden_state
        tokens = self.model.query_tokens.expand(len(image), -1, -1)
        queries = self.model.qformer(query_embeds=tokens, encoder_hidden_states=image).last_hidden_state
        projected = self.model.language_projection(queries)
        embeds = torch.cat([projected, self.model.get_input_embeddings()(ids)], 1)
        mask = torch.ones_like(ids) if mask is None else mask
        return embeds, torch.cat([torch.ones(projected.shape[:2], dtype=mask.dtype), mask], 1)
