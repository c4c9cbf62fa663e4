"""Images and texts of a case, and the entries of their preprocessing."""

import random
from pathlib import Path

import numpy
import torch

from ..manifest import EXACT, PIXEL_TOLERANCE, Recorder
from ..images import IMAGES, open_image
from ..spec import Spec

PROMPTS = [
    "a photo of", "question: how many cats are there? answer:", "the red bus", "what is the woman holding", "describe the image in detail.", "a large fountain",
    "the old man is", "which colour is the umbrella?", "blue and white flowers", "children are playing", "the dog", "two cats on a sofa",
]
ODD_TEXTS = ["", "two  spaces, and 7 digits", "Capital Letters!", "<image> inside"]


class CaseInputs:
    """Preprocesses images and texts with the processor of the checkpoint."""

    def __init__(self, spec: Spec, folder: Path, processor, tokenizer) -> None:
        self.spec, self.folder, self.processor, self.tokenizer = spec, folder, processor, tokenizer
        self.random = random.Random(spec.seed)

    def images(self, *names: str, **options) -> torch.Tensor:
        images = [open_image(self.folder, name) for name in names or IMAGES]
        return self.processor.image_processor(images, return_tensors="pt", **options)["pixel_values"]

    def prompt(self, *texts: str, side: str | None = None, images: bool = True) -> dict[str, list[list[int]]]:
        """`input_ids` and `attention_mask` with image tokens first, padded on the side that the language model needs."""
        self.tokenizer.padding_side = side or ("right" if self.spec.is_t5 or self.spec.family == "retrieval" else "left")
        rows = self.tokenizer(list(texts), padding=True)
        queries = self.spec.queries if images and self.spec.image_token is not None else 0
        return {
            "input_ids": [[self.spec.image_token] * queries + ids for ids in rows["input_ids"]],
            "attention_mask": [[1] * queries + mask for mask in rows["attention_mask"]],
        }

    def noise(self, *shape: int, scale: float = 1.0) -> torch.Tensor:
        generator = torch.Generator().manual_seed(self.random.randrange(2**31))
        return torch.randn(shape, generator=generator) * scale


def tensors(rows: dict) -> dict[str, torch.Tensor]:
    return {name: torch.tensor(value) for name, value in rows.items()}


def add_texts(recorder: Recorder, inputs: CaseInputs) -> None:
    texts = PROMPTS[:4] + ODD_TEXTS[: 4 if inputs.spec.image_token is not None else 3]
    given = {"tokenizer": "tokenizer", "texts": texts}

    def encode(**options) -> dict:
        return {"input_ids": [inputs.tokenizer(text, **options)["input_ids"] for text in texts]}

    without = {"add_special_tokens": False}
    recorder.add("tokenizer/encode/without_special_tokens", "tokenizer_encode", given, lambda _: encode(**without), options=without, tolerance=EXACT)
    rows = recorder.add("tokenizer/encode/with_special_tokens", "tokenizer_encode", given, lambda _: encode(), tolerance=EXACT)["input_ids"]
    recorder.add(
        "tokenizer/decode/skip_special_tokens", "tokenizer_decode", {"tokenizer": "tokenizer", "ids": rows},
        lambda _: {"texts": [inputs.tokenizer.decode(row, skip_special_tokens=True) for row in rows]}, options={"skip_special_tokens": True}, tolerance=EXACT,
    )


def add_images(recorder: Recorder, inputs: CaseInputs) -> None:
    for name in IMAGES:
        recorder.add(f"decode/{name}", "decode_image", {"image": name}, lambda _, name=name: decode(inputs, name), tolerance=EXACT)
        recorder.add(f"pixel_values/{name}", "image_processor", {"images": [name]}, lambda _, name=name: {"pixel_values": inputs.images(name)}, tolerance=PIXEL_TOLERANCE)
    width, height = 5 * inputs.spec.patch_size, 3 * inputs.spec.patch_size
    for label, options in {"bilinear": {"resample": 2}, "other_size": {"size": {"height": height, "width": width}}, "no_resize": {"do_resize": False}}.items():
        name = next(iter(IMAGES))
        recorder.add(
            f"image_processor/{label}", "image_processor", {"images": [name]}, lambda _, options=options: {"pixel_values": inputs.images(name, **options)},
            options=options, tolerance=PIXEL_TOLERANCE,
        )
    add_processor(recorder, inputs)


def add_processor(recorder: Recorder, inputs: CaseInputs) -> None:
    names = list(IMAGES)[:2]
    for label, text, options in (("single", PROMPTS[:1], {}), ("batch", PROMPTS[:2], {"padding": True}), ("batch_left", PROMPTS[1:3], {"padding": True, "padding_side": "left"})):
        recorder.add(
            f"processor/{label}", "processor", {"images": names[: len(text)], "text": text},
            lambda _, text=text, options=options: process(inputs, names[: len(text)], text, **options), options=options, tolerance=PIXEL_TOLERANCE,
        )


def decode(inputs: CaseInputs, name: str) -> dict:
    return {"rgb": torch.from_numpy(numpy.array(open_image(inputs.folder, name)))}


def process(inputs: CaseInputs, names: list[str] | None, text: str | list[str] | None, **options) -> dict:
    """Calls the processor. Rows of ids and masks stay lists; a single text gives one row."""
    images = [open_image(inputs.folder, name) for name in names] if names else None
    read = inputs.processor(images=images, text=text, **options)
    rows = {name: value if isinstance(value[0], list) else [value] for name, value in read.items() if name != "pixel_values"}
    return {**rows, **({"pixel_values": torch.as_tensor(numpy.stack(list(read["pixel_values"])))} if images else {})}
