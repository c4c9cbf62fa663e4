"""Vision encoder, Q-Former and language projection, each separately."""

import torch

from ..manifest import Recorder
from ..models import Models
from ..images import IMAGES
from .inputs import CaseInputs

ALL = ("last_hidden_state", "pooler_output", "hidden_states", "attentions", "cross_attentions")


def add_parts(recorder: Recorder, inputs: CaseInputs) -> None:
    pixels = [inputs.images(name) for name in IMAGES]
    first, second = (add_vision(recorder, f"vision/{name}", pixel) for name, pixel in zip(("first", "second"), pixels))
    add_vision(recorder, "vision/batch", torch.cat(pixels), states=False)
    patch = inputs.spec.patch_size
    wide = inputs.images(next(iter(IMAGES)), size={"height": 3 * patch, "width": 5 * patch})
    add_vision(recorder, "vision/interpolated", wide, states=False, interpolate_pos_encoding=True)
    add_qformer(recorder, inputs, first, second)
    if inputs.spec.family == "retrieval":
        add_text(recorder, inputs, first)


def add_vision(recorder: Recorder, name: str, pixels: torch.Tensor, states: bool = True, **options) -> torch.Tensor:
    wanted = ALL[:4] if states else ALL[:2]
    hidden = {} if states else {"output_hidden_states": False, "output_attentions": False}
    return recorder.add(
        name, "vision_forward", {"pixel_values": pixels}, lambda models: vision(models, pixels, wanted, **options), options={**hidden, **options},
    )["last_hidden_state"]


def vision(models: Models, pixels: torch.Tensor, wanted: tuple[str, ...], **options) -> dict:
    encoder = models.encoder
    if encoder.config.model_type == "dinov2":
        # It always interpolates.
        options = {name: value for name, value in options.items() if name != "interpolate_pos_encoding"}
    out = encoder(models.floats(pixels), output_hidden_states=True, output_attentions=True, **options)
    # An encoder without a pooler does not have its output.
    found = [name for name in wanted if out.get(name) is not None]
    return {name: list(out[name]) if name in ("hidden_states", "attentions") else out[name] for name in found}


def qformer(models: Models, given: dict, wanted: tuple[str, ...]) -> dict:
    """Calls the Q-Former; without `query_embeds`, every row uses the model's query tokens."""
    arguments = {name: models.floats(value) if isinstance(value, torch.Tensor) else value for name, value in given.items()}
    if "query_embeds" not in arguments:
        arguments["query_embeds"] = models.whole.query_tokens.expand(len(arguments["encoder_hidden_states"]), -1, -1)
    for name in ("input_ids", "attention_mask", "encoder_attention_mask"):
        if name in arguments:
            arguments[name] = torch.tensor(arguments[name])
    out = models.whole.qformer(**arguments, output_hidden_states=True, output_attentions=True)
    # HF also lists the cross-attention maps among the others.
    cross = {id(tensor) for tensor in out.cross_attentions or ()}
    outputs = {
        "last_hidden_state": out.last_hidden_state, "pooler_output": out.pooler_output, "hidden_states": list(out.hidden_states),
        "attentions": [tensor for tensor in out.attentions if id(tensor) not in cross], "cross_attentions": list(out.cross_attentions or ()),
    }
    return {name: outputs[name] for name in wanted}


def add_qformer(recorder: Recorder, inputs: CaseInputs, first: torch.Tensor, second: torch.Tensor) -> None:
    width = recorder.model.whole.query_tokens.shape[-1]
    hole = [[1] * (first.shape[1] - 3) + [0] * 3]
    queries = inputs.spec.queries + 2
    half_masked = [[1] * queries, [1] * (queries - 1) + [0]]

    def add(name: str, given: dict, wanted: tuple[str, ...], note: str | None = None) -> torch.Tensor:
        return recorder.add(f"qformer/{name}", "qformer_forward", given, lambda models: qformer(models, given, wanted), note=note)["last_hidden_state"]

    state = add("first", {"encoder_hidden_states": first}, ALL)
    add("masked_image", {"encoder_hidden_states": first, "encoder_attention_mask": hole}, ("last_hidden_state", "cross_attentions"))
    both = {"query_embeds": inputs.noise(2, queries, width), "attention_mask": half_masked, "encoder_hidden_states": torch.cat([first, second])}
    add("other_queries", both, ("last_hidden_state", "attentions"))
    small = {"query_embeds": inputs.noise(1, queries, width, scale=1e-3), "encoder_hidden_states": first}
    add("small_queries", small, ("last_hidden_state",), note="so small that the epsilon of the first norm matters")
    if inputs.spec.family == "generation":
        recorder.add("language_projection", "language_projection", {"query_output": state}, lambda models: project(models, state))


def project(models: Models, queries: torch.Tensor) -> dict:
    return {"projected": models.whole.language_projection(models.floats(queries))}


def embed(models: Models, ids: list[list[int]], with_queries: bool) -> torch.Tensor:
    """Token and position embeddings of a retrieval model, optionally after the query tokens."""
    return models.whole.embeddings(torch.tensor(ids), query_embeds=models.whole.query_tokens if with_queries else None)


def add_text(recorder: Recorder, inputs: CaseInputs, image: torch.Tensor) -> None:
    """The Q-Former with text only, and with text after the queries."""
    prompt = inputs.prompt("two cats on a sofa")
    ids, queries = prompt["input_ids"], inputs.spec.queries
    for label, with_queries in (("alone", False), ("after_queries", True)):
        embedded = recorder.add(
            f"text_embeddings/{label}", "text_embeddings", {"input_ids": ids}, lambda models, q=with_queries: {"embeddings": embed(models, ids, q)},
            options={"with_query_tokens": with_queries},
        )["embeddings"]
        given = {"query_embeds": embedded, "query_length": queries if with_queries else 0, "attention_mask": [[1] * embedded.shape[1]]}
        if with_queries:
            given["encoder_hidden_states"] = image
        wanted = ALL if with_queries else ALL[:4]
        recorder.add(f"qformer/text_{label}", "qformer_forward", given, lambda models, given=given, wanted=wanted: qformer(models, given, wanted))
