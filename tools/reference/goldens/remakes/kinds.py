"""Calls of HF by entry kind, with the inputs of an entry. The names of the outputs are those of the manifest."""

from collections.abc import Callable

from ..entries import generation, gradients, inputs, language, parts, retrieval, whole
from .case import RecordedCase
from .logits import logits_pipeline, logits_processor

Wanted = tuple[str, ...]


def image_processor(case: RecordedCase, given: dict, options: dict, _: Wanted) -> dict:
    return {"pixel_values": case.inputs.images(*given["images"], **options)}


def tokenizer(case: RecordedCase, given: dict):
    name = given["tokenizer"]
    return case.inputs.tokenizer if name == "tokenizer" else getattr(case.inputs.processor, name)


def tokenizer_encode(case: RecordedCase, given: dict, options: dict, _: Wanted) -> dict:
    return {"input_ids": [tokenizer(case, given)(text, **options)["input_ids"] for text in given["texts"]]}


def tokenizer_decode(case: RecordedCase, given: dict, options: dict, _: Wanted) -> dict:
    return {"texts": [tokenizer(case, given).decode(row, **options) for row in given["ids"]]}


def processor(case: RecordedCase, given: dict, options: dict, _: Wanted) -> dict:
    return inputs.process(case.inputs, given.get("images"), given.get("text"), **options)


def vision_forward(case: RecordedCase, given: dict, options: dict, wanted: Wanted) -> dict:
    interpolate = {name: value for name, value in options.items() if name == "interpolate_pos_encoding"}
    return parts.vision(case.models, given["pixel_values"], wanted, **interpolate)


def text_embeddings(case: RecordedCase, given: dict, options: dict, _: Wanted) -> dict:
    return {"embeddings": parts.embed(case.models, given["input_ids"], options["with_query_tokens"])}


def language_model_forward(case: RecordedCase, given: dict, _: dict, wanted: Wanted) -> dict:
    states = {"output_hidden_states": True, "output_attentions": True} if {"hidden_states", "decoder_hidden_states"} & set(wanted) else {}
    return language.forward(case.models, given, **states)


def forward(case: RecordedCase, given: dict, options: dict, _: Wanted) -> dict:
    pixels, rows = split(given)
    return whole.forward(case.models, case.spec.is_t5, pixels, rows, options)


def split(given: dict) -> tuple:
    """Pixels, and rows of ids and masks."""
    others = ("pixel_values", "candidates")
    return given["pixel_values"], {name: value for name, value in given.items() if name not in others}


def with_scores(options: dict, wanted: Wanted) -> dict:
    return {**options, "output_scores": "scores" in wanted}


def generate(case: RecordedCase, given: dict, options: dict, wanted: Wanted) -> dict:
    return generation.generator(case.inputs, *split(given), with_scores(options, wanted))(case.models)


def language_model_generate(case: RecordedCase, given: dict, options: dict, wanted: Wanted) -> dict:
    return language.generator(case.inputs, given, with_scores(options, wanted))(case.models)


def sampling_scores(case: RecordedCase, given: dict, options: dict, _: Wanted) -> dict:
    return generation.sampler(case.inputs, *split(given), options)(case.models)


def sequence_logprobs(case: RecordedCase, given: dict, _: dict, __: Wanted) -> dict:
    return generation.score_candidates(case.models, case.spec.is_t5, *split(given), given["candidates"])


def image_text_retrieval(case: RecordedCase, given: dict, options: dict, _: Wanted) -> dict:
    return retrieval.pair(case.models, *split(given), options.get("use_image_text_matching_head", False))


KINDS: dict[str, Callable[[RecordedCase, dict, dict, Wanted], dict]] = {
    "decode_image": lambda case, given, _, __: inputs.decode(case.inputs, given["image"]),
    "image_processor": image_processor,
    "tokenizer_encode": tokenizer_encode,
    "tokenizer_decode": tokenizer_decode,
    "processor": processor,
    "vision_forward": vision_forward,
    "qformer_forward": lambda case, given, _, wanted: parts.qformer(case.models, given, wanted),
    "text_embeddings": text_embeddings,
    "language_projection": lambda case, given, _, __: parts.project(case.models, given["query_output"]),
    "language_model_forward": language_model_forward,
    "forward": forward,
    "get_image_features": lambda case, given, _, __: whole.image_features(case.models, given["pixel_values"]),
    "get_qformer_features": lambda case, given, _, __: whole.qformer_features(case.models, given["pixel_values"]),
    "get_text_features": lambda case, given, _, __: whole.text_features(case.models, given),
    "generate": generate,
    "language_model_generate": language_model_generate,
    "sampling_scores": sampling_scores,
    "sequence_logprobs": sequence_logprobs,
    "image_text_retrieval": image_text_retrieval,
    "text_model_with_projection": lambda case, given, _, __: retrieval.text(case.models, given, True),
    "vision_model_with_projection": lambda case, given, _, __: retrieval.vision(case.models, given["pixel_values"]),
    "gradient": lambda case, given, options, _: gradients.gradient(case.models, given, options),
    "logits_processor": lambda _, given, options, __: logits_processor(given, options),
    "logits_pipeline": lambda _, given, options, __: logits_pipeline(given, options),
}


def call(case: RecordedCase, entry: dict) -> dict:
    given = {name: case.resolve(value) for name, value in entry["inputs"].items()}
    return KINDS[entry["kind"]](case, given, entry["options"], tuple(entry["outputs"]))
