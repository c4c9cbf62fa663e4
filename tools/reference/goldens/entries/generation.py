"""Generation. An entry is recorded only if no decision is close: rounding must not change the ids."""

import itertools
from collections.abc import Callable

import torch
from transformers import LogitsProcessor, LogitsProcessorList

from ..manifest import Recorder
from ..models import Models
from ..images import IMAGES
from .inputs import PROMPTS, CaseInputs, tensors

# Minimum gap of greedy choices. The ids of every entry are stable under noise of this size on all logits.
SMALLEST_MARGIN = 0.005
NOISE_RUNS = 4
# Size of the noise under which the surviving tokens of sampling are stable.
SAMPLING_NOISE = 5e-4
# Beam scores are returned only together with the scores of the steps.
RECORDED = {"return_dict_in_generate": True, "output_scores": True}
STEPS = 8
TRIES = 40

OPTIONS: dict[str, dict] = {
    "greedy": {"output_scores": True},
    "min_new_tokens": {"min_new_tokens": 7},
    "repetition_penalty": {"repetition_penalty": 1.5},
    "no_repeat_ngram": {"no_repeat_ngram_size": 1},
    "beams3": {"num_beams": 3},
    "beams4_return_2": {"num_beams": 4, "num_return_sequences": 2, "early_stopping": True},
    "beams3_length_penalty": {"num_beams": 3, "length_penalty": -1.0},
    "beams3_never": {"num_beams": 3, "early_stopping": "never", "length_penalty": 2.0},
    "beams3_repetition_penalty": {"num_beams": 3, "repetition_penalty": 1.3},
}
SAMPLING: dict[str, dict] = {"defaults": {}, "top_p": {"top_p": 0.8, "top_k": 0, "temperature": 0.7}, "min_p": {"min_p": 0.1, "top_k": 20}}


class Noise(LogitsProcessor):
    def __init__(self, seed: int, size: float) -> None:
        self.generator, self.size = torch.Generator().manual_seed(seed), size

    def __call__(self, input_ids, scores):
        return scores + (torch.rand(scores.shape, generator=self.generator) * 2 - 1).to(scores.dtype) * self.size


def noise(seed: int, size: float) -> dict:
    return {"logits_processor": LogitsProcessorList([Noise(seed, size)])}


def written(inputs: CaseInputs, out, skip: int, options: dict) -> dict:
    """New tokens, texts and scores under the names of the manifest. Texts require a tokenizer."""
    rows = out.sequences[:, skip:].tolist()
    outputs = {"new_tokens": rows}
    if inputs.tokenizer is not None:
        outputs["texts"] = [inputs.tokenizer.decode(row, skip_special_tokens=True) for row in rows]
    if options.get("num_beams", 1) > 1:
        outputs["sequences_scores"] = out.sequences_scores
    if options.get("output_scores"):
        outputs["scores"] = list(out.scores)
    return outputs


def add_steady(recorder: Recorder, inputs: CaseInputs, name: str, kind: str, calls: Callable, count: int, options: dict, prompts: list[str] | None = None) -> list[str]:
    """Records the first choice of prompts with stable ids, and returns it. `calls(texts)` returns the inputs and the call of the entry."""
    found = None
    for texts in [prompts] if prompts else itertools.islice(choices(inputs, count), TRIES):
        given, call = calls(texts)
        ids = call(recorder.model)["new_tokens"]
        if found and not is_varied(ids):
            continue
        margin = greedy_margin(call, recorder.model) if options.get("output_scores") else None
        if is_steady(recorder, call, ids) and (margin is None or margin > SMALLEST_MARGIN):
            found = texts, given, call, margin
            if is_varied(ids):
                break
    if not found:
        raise SystemExit(f"{name}: every prompt has a decision that is too close; try another seed")
    texts, given, call, margin = found
    recorder.add(name, kind, given, call, options=options, made_from={"text": texts}, smallest_margin=margin and round(margin, 6))
    return texts


def is_steady(recorder: Recorder, call: Callable, ids: list[list[int]]) -> bool:
    if call(recorder.precise)["new_tokens"] != ids:
        return False
    return all(call(recorder.model, **noise(seed, SMALLEST_MARGIN))["new_tokens"] == ids for seed in range(NOISE_RUNS))


def is_varied(ids: list[list[int]]) -> bool:
    """Whether the ids vary enough to reveal mistakes in caches or positions."""
    return sum(len(set(row)) for row in ids) >= 3.5 * len(ids)


def choices(inputs: CaseInputs, count: int):
    while True:
        yield inputs.random.sample(PROMPTS, count)


def greedy_margin(call: Callable, models: Models) -> float:
    best = [step.topk(2).values for step in call(models)["scores"]]
    return min((top[:, 0] - top[:, 1]).min().item() for top in best)


def generator(inputs: CaseInputs, pixels: torch.Tensor, prompt: dict, options: dict) -> Callable:
    skip = skipped(inputs, prompt)

    def call(models: Models, **more) -> dict:
        out = models.whole.generate(pixel_values=models.floats(pixels), **tensors(prompt), **{**options, **more, **RECORDED})
        return written(inputs, out, skip, options)

    return call


def skipped(inputs: CaseInputs, prompt: dict) -> int:
    """Number of ids before the new tokens: none in a legacy case, which generates from embeddings only."""
    if inputs.spec.is_t5:
        return 1
    if inputs.spec.image_token is None:
        return 0
    return len(prompt["input_ids"][0]) if prompt else inputs.spec.queries + 1


def add_generation(recorder: Recorder, inputs: CaseInputs) -> None:
    names = list(IMAGES)

    def add(label: str, images: list[str], options: dict, prompted: bool = True, prompts: list[str] | None = None) -> list[str]:
        pixels = inputs.images(*images)

        def calls(texts: list[str]):
            prompt = inputs.prompt(*texts) if prompted else {}
            return {"pixel_values": pixels, **prompt}, generator(inputs, pixels, prompt, options)

        return add_steady(recorder, inputs, f"generate/{label}", "generate", calls, len(images), options, prompts)

    for index, (label, options) in enumerate(OPTIONS.items()):
        add(label, [names[index % len(names)]], {"max_new_tokens": STEPS, **options})
    add("no_prompt", names[:1], {"max_new_tokens": STEPS}, prompted=False)
    prompts = add("batch", names, {"max_new_tokens": STEPS})
    # The same call with an end token inside a row.
    row = recorder.entries[-1]["outputs"]["new_tokens"][0][:-2]
    end = max(row, key=row.index)
    add("batch_ends", names, {"max_new_tokens": STEPS, "eos_token_id": [end, 4], "pad_token_id": 3}, prompts=prompts)
    add("batch_beams3_return_2", names[:2], {"max_new_tokens": STEPS, "num_beams": 3, "num_return_sequences": 2})
    add("default_length", names[1:2], {})
    longest = 1 if inputs.spec.is_t5 else max(len(inputs.prompt(text)["input_ids"][0]) for text in PROMPTS)
    add("max_length", names[2:], {"max_length": longest + STEPS, "min_length": longest + STEPS - 2})
    for index, (label, options) in enumerate(SAMPLING.items()):
        add_sampling(recorder, inputs, label, inputs.images(names[index % len(names)]), options)
    add_candidates(recorder, inputs, inputs.images(names[0]))


def add_sampling(recorder: Recorder, inputs: CaseInputs, label: str, pixels: torch.Tensor, options: dict) -> None:
    for (text,) in itertools.islice(choices(inputs, 1), TRIES):
        prompt = inputs.prompt(text)
        call = sampler(inputs, pixels, prompt, options)
        kept = call(recorder.model)["scores"].isfinite()
        if all(torch.equal(call(recorder.model, **noise(seed, SAMPLING_NOISE))["scores"].isfinite(), kept) for seed in range(NOISE_RUNS)):
            recorder.add(f"sampling_scores/{label}", "sampling_scores", {"pixel_values": pixels, **prompt}, call, options=options, made_from={"text": [text]})
            return
    raise SystemExit(f"sampling_scores/{label}: every prompt has a token at a threshold; try another seed")


def sampler(inputs: CaseInputs, pixels: torch.Tensor, prompt: dict, options: dict) -> Callable:
    """The scores of the first new token, after all processors and warpers of sampling."""
    sampled = generator(inputs, pixels, prompt, {"do_sample": True, "max_new_tokens": 1, "output_scores": True, **options})
    return lambda models, **more: {"scores": sampled(models, **more)["scores"][0]}


def add_candidates(recorder: Recorder, inputs: CaseInputs, pixels: torch.Tensor) -> None:
    """Teacher forcing: the log-probability of each id of given answers."""
    prompt = inputs.prompt(PROMPTS[1])
    candidates = [inputs.tokenizer(answer, add_special_tokens=False)["input_ids"] for answer in ("two", "a red bus", "the dog is on the beach")]

    recorder.add(
        "sequence_logprobs/first", "sequence_logprobs", {"pixel_values": pixels, **prompt, "candidates": candidates},
        lambda models: score_candidates(models, inputs.spec.is_t5, pixels, prompt, candidates),
    )


def score_candidates(models: Models, is_t5: bool, pixels: torch.Tensor, prompt: dict, candidates: list[list[int]]) -> dict:
    scored = [score(models, is_t5, pixels, prompt, ids) for ids in candidates]
    return {"token_logprobs": scored, "sums": torch.stack([row.sum() for row in scored])}


def score(models: Models, is_t5: bool, pixels: torch.Tensor, prompt: dict, ids: list[int]) -> torch.Tensor:
    rows = tensors(prompt)
    if is_t5:
        start = models.language.config.decoder_start_token_id or 0
        logits = models.whole(pixel_values=models.floats(pixels), **rows, decoder_input_ids=torch.tensor([[start, *ids[:-1]]])).logits[0]
    else:
        whole = {**rows, "input_ids": torch.tensor([prompt["input_ids"][0] + ids]), "attention_mask": torch.ones(1, rows["input_ids"].shape[1] + len(ids), dtype=torch.long)}
        logits = models.whole(pixel_values=models.floats(pixels), **whole).logits[0, -len(ids) - 1 : -1]
    return logits.log_softmax(-1).gather(1, torch.tensor(ids).unsqueeze(1)).squeeze(1)
