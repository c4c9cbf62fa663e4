#!/usr/bin/env python3
"""Recomputes outputs of single functions of Hugging Face Transformers: the JSON files in ../parity/cases/values.

Each file contains its inputs. Prints whether the outputs are equal; with --write, stores new ones. `search.json` has its own program,
make_search_values.py.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy
import torch
import transformers
from PIL import Image

VALUES = Path(__file__).parent / "../parity/cases/values"
FARTHEST = 1500
POSITIONS = [0, 5, 300]
CONFIGS = {
    "vision": transformers.Blip2VisionConfig,
    "qformer": transformers.Blip2QFormerConfig,
    "opt": transformers.OPTConfig,
    "t5": transformers.T5Config,
}
EXTRA_ACTIVATIONS = {"selu": torch.nn.SELU()}


def relative_buckets(entries: list) -> list:
    """Buckets of T5's relative positions, as the distances at which a bucket starts."""
    from transformers.models.t5.modeling_t5 import T5Attention

    distances = torch.arange(-FARTHEST, FARTHEST + 1)
    made = []
    for entry in entries:
        options = {"bidirectional": entry["bidirectional"], "num_buckets": entry["numBuckets"], "max_distance": entry["maxDistance"]}
        buckets = T5Attention._relative_position_bucket(distances, **options).tolist()
        starts = [i for i in range(len(buckets)) if i == 0 or buckets[i] != buckets[i - 1]]
        made.append({**entry, "runs": [[distances[i].item(), buckets[i]] for i in starts]})
    return made


def scaled_rotations(entries: list) -> list:
    """Inverse frequencies and cosines of Llama's rotary embedding, for heads of 32."""
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

    made = []
    for entry in entries:
        scaling = {"rope_type": entry["json"].get("rope_type", entry["json"].get("type")), **entry["json"], "rope_theta": 10000.0}
        config = transformers.LlamaConfig(hidden_size=64, num_attention_heads=2, max_position_embeddings=512, rope_parameters=scaling)
        rotary = LlamaRotaryEmbedding(config)
        cosines, _ = rotary(torch.zeros(1), torch.tensor([POSITIONS]))
        half = cosines.shape[-1] // 2
        made.append({**entry, "frequencies": rotary.inv_freq.tolist(), "cosines": cosines[0, :, :half].tolist()})
    return made


def activations(values: dict) -> dict:
    from transformers.activations import ACT2FN

    inputs = torch.tensor(values["inputs"], dtype=torch.float32)
    outputs = {name: (EXTRA_ACTIVATIONS.get(name) or ACT2FN[name])(inputs) for name in values["outputs"]}
    return {**values, "outputs": {name: [float(f"{value:.9g}") for value in tensor.tolist()] for name, tensor in outputs.items()}}


def image_sizes(entries: list) -> list:
    """Resized and cropped 8-bit pixel values `[3, height, width]`."""
    made = []
    for entry in entries:
        made_by = image_class(entry["json"].get("image_processor_type", "BlipImageProcessor"))
        processor = made_by(**{**entry["json"], "do_rescale": False, "do_normalize": False})
        pixels = processor(formula_image(*entry["image"]), return_tensors="np")["pixel_values"][0]
        made.append({**entry, "dims": list(pixels.shape), "levels": pixels.astype(int).reshape(-1).tolist()})
    return made


def image_class(name: str) -> type:
    """The image processor of a file's `image_processor_type` or `feature_extractor_type` that uses Pillow."""
    return getattr(transformers, f"{name.replace('FeatureExtractor', 'ImageProcessor').removesuffix('Fast')}Pil")


def image_classes(values: dict) -> dict:
    """Defaults of image processors, as in a file."""
    keys = ("do_resize", "size", "resample", "do_center_crop", "crop_size", "do_rescale", "rescale_factor", "do_normalize", "image_mean", "image_std")
    return {name: {key: value for key, value in image_class(name)().to_dict().items() if key in keys and value is not None} for name in values}


def formula_image(height: int, width: int) -> Image.Image:
    x, y, c = numpy.mgrid[0:height, 0:width, 0:3]
    return Image.fromarray(((91 * x + 37 * y + 53 * c + 7 * ((x * y) % 17)) % 256).astype(numpy.uint8))


def config_defaults(values: dict) -> dict:
    made = {name: {key: config().to_dict()[key] for key in values[name]} for name, config in CONFIGS.items()}
    return {**values, **made}


MAKERS = {
    "relative-buckets": relative_buckets,
    "scaled-rotations": scaled_rotations,
    "activations": activations,
    "image-sizes": image_sizes,
    "image-classes": image_classes,
    "config-defaults": config_defaults,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(MAKERS)}; default: all")
    parser.add_argument("--write", action="store_true", help="store the outputs")
    arguments = parser.parse_args()
    torch.set_grad_enabled(False)
    equal = True
    for name in arguments.names or MAKERS:
        file = VALUES / f"{name}.json"
        values = json.loads(file.read_text("utf-8"))
        made = MAKERS[name](values)
        equal = equal and made == values
        print(f"{name}  {'equal' if made == values else 'DIFFERENT'}")
        if arguments.write:
            file.write_text(json.dumps(made), "utf-8")
    return 0 if equal or arguments.write else 1


if __name__ == "__main__":
    sys.exit(main())
