"""The HF models of one checkpoint, all loaded from its folder."""

import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import torch
import transformers
from transformers import AutoConfig, AutoTokenizer, ProcessorMixin

from .spec import Spec
from .tokenizers_tiny import save_tokenizer, write_json
from .weights import randomize, save_weights, stored_tensors

MEAN = [0.48145466, 0.4578275, 0.40821073]
DEVIATION = [0.26862954, 0.26130258, 0.27577711]


def write_checkpoint(folder: Path, spec: Spec) -> None:
    """Writes a model folder in the layout of a Hub repository."""
    folder.mkdir(parents=True)
    write_json(folder / "config.json", spec.config)
    config = AutoConfig.from_pretrained(folder, attn_implementation="eager")
    model = getattr(transformers, spec.architecture)(config).float().eval()
    untie_head(model)
    randomize(model, config if spec.family == "language" else config.text_config, spec.seed, spec.dtype)
    save_weights(folder, stored_tensors(model, spec.dtype), spec.shards)
    save_tokenizer(folder, spec)
    if spec.family == "language":
        return
    size = {"height": spec.image_size, "width": spec.image_size}
    write_json(folder / "preprocessor_config.json", {
        "do_convert_rgb": True, "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": MEAN, "image_std": DEVIATION,
        "image_processor_type": "BlipImageProcessor", "processor_class": "Blip2Processor", "resample": 3, "rescale_factor": 1 / 255, "size": size,
    })
    if spec.image_token is not None:
        write_json(folder / "processor_config.json", {"num_query_tokens": spec.queries, "processor_class": "Blip2Processor"})


def untie_head(model: torch.nn.Module) -> None:
    """T5 1.1 and Flan have an untied head without scaling before it. HF ties it anyway unless the file contains one."""
    language = getattr(model, "language_model", model)
    if language.config.model_type == "t5" and not language.config.scale_decoder_outputs:
        language.lm_head.weight = torch.nn.Parameter(torch.empty_like(language.shared.weight))


@dataclass(frozen=True)
class Models:
    """One checkpoint in one precision. `whole` is the class in its configuration; the others share no weights with it."""

    dtype: torch.dtype
    whole: torch.nn.Module
    language: torch.nn.Module | None = None
    base: torch.nn.Module | None = None
    text: torch.nn.Module | None = None
    vision: torch.nn.Module | None = None

    @property
    def encoder(self) -> torch.nn.Module:
        """The vision encoder: below `vision_model` or the name of its type, or the model itself."""
        names = ("vision_model", self.whole.config.model_type)
        return next((getattr(self.whole, name) for name in names if hasattr(self.whole, name)), self.whole)

    def floats(self, tensor: torch.Tensor) -> torch.Tensor:
        return tensor.to(self.dtype)

    def each(self) -> list[torch.nn.Module]:
        return [model for model in (self.whole, self.base, self.text, self.vision) if model is not None]


def load_models(folder: Path, spec: Spec, dtype: torch.dtype) -> Models:
    def load(name: str) -> torch.nn.Module:
        # Upcast after loading, so that the weights equal the stored ones in float64 too.
        model, info = getattr(transformers, name).from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
        assert not info["missing_keys"], info["missing_keys"]
        return model.to(dtype).eval()

    whole = load(spec.architecture)
    if spec.family == "language":
        # Loaded from the folder, it would lack an end token that config.json leaves out. Inside BLIP-2 it is created from the configuration with defaults.
        whole.generation_config = transformers.GenerationConfig.from_model_config(whole.config)
        return Models(dtype, whole, language=whole)
    if spec.family == "vision":
        return Models(dtype, whole)
    if spec.family == "instruct":
        return Models(dtype, whole, language=whole.language_model)
    if spec.family == "generation":
        return Models(dtype, whole, language=whole.language_model, base=load("Blip2Model"))
    return Models(dtype, whole, text=load("Blip2TextModelWithProjection"), vision=load("Blip2VisionModelWithProjection"))


def keep_float64() -> None:
    """Keeps softmax in float64. HF computes it in float32, where the float64 mask of a row without keys overflows to NaN."""
    softmax = torch.nn.functional.softmax

    def keeping(input, dim=None, _stacklevel=3, dtype=None):
        return softmax(input, dim=dim, dtype=None if input.dtype == torch.float64 else dtype)

    torch.nn.functional.softmax = keeping


def load_image_processor(folder: Path) -> SimpleNamespace:
    """The image processor of a vision encoder alone, of the class in its file, with Pillow."""
    name = json.loads((folder / "preprocessor_config.json").read_text("utf-8"))["image_processor_type"]
    return SimpleNamespace(image_processor=getattr(transformers, f"{name}Pil").from_pretrained(folder))


def load_processor(folder: Path, spec: Spec) -> tuple[ProcessorMixin | None, transformers.PreTrainedTokenizerBase]:
    if spec.family == "language":
        return None, AutoTokenizer.from_pretrained(folder)
    name = "InstructBlipProcessor" if spec.family == "instruct" else "Blip2Processor"
    processor = getattr(transformers, name).from_pretrained(folder)
    return processor, processor.tokenizer
