"""The specification of a case."""

import json
from dataclasses import dataclass, field
from pathlib import Path

ARCHITECTURES = {"opt": "OPTForCausalLM", "t5": "T5ForConditionalGeneration"}

# Models that are a vision encoder, or contain one without a Q-Former.
VISION_TYPES = ("clip", "siglip", "siglip_vision_model", "dinov2", "vit")


@dataclass(frozen=True)
class Spec:
    name: str
    config: dict
    description: str = ""
    seed: int = 1
    dtype: str = "float32"
    shards: int = 1
    notes: list = field(default_factory=list)

    @property
    def family(self) -> str:
        """`generation`, `instruct`, `retrieval`, or for a part alone `language`, `vision` or `timm`. Only recorded cases have `instruct`."""
        if "architecture" in self.config:
            return "timm"
        if self.config["model_type"] != "blip-2":
            vision = dict.fromkeys(VISION_TYPES, "vision")
            return {"instructblip": "instruct", **vision}.get(self.config["model_type"], "language")
        return "retrieval" if self.architecture == "Blip2ForImageTextRetrieval" else "generation"

    @property
    def architecture(self) -> str:
        return self.config.get("architecture") or self.config["architectures"][0]

    @property
    def text(self) -> dict:
        """Configuration of the language model."""
        return self.config if self.family == "language" else self.config.get("text_config", {})

    @property
    def is_t5(self) -> bool:
        """Whether the language model is T5 or one of its variants."""
        return self.text.get("model_type", "opt") in ("t5", "mt5", "umt5")

    @property
    def has_own_parts(self) -> bool:
        """Whether the case records the parts too: those of the models of BLIP-2's repositories."""
        return self.text.get("model_type", "opt") in ARCHITECTURES

    @property
    def queries(self) -> int:
        return self.config.get("num_query_tokens", 32)

    @property
    def image_token(self) -> int | None:
        return self.config.get("image_token_index")

    @property
    def image_size(self) -> int:
        return self.config.get("vision_config", self.config).get("image_size", 224)

    @property
    def patch_size(self) -> int:
        return self.config.get("vision_config", self.config).get("patch_size", 14)


def read_spec(file: Path, name: str, **given) -> Spec:
    """Reads a config.json, or a file that contains one under `config` next to default options. Arguments override them."""
    read = json.loads(file.read_text("utf-8"))
    fields = dict(read) if "config" in read else {"config": read}
    config = fields["config"]
    config.setdefault("architectures", [ARCHITECTURES.get(config["model_type"], "Blip2ForConditionalGeneration")])
    fields.update({key: value for key, value in given.items() if value is not None})
    spec = Spec(name=name, **fields)
    if spec.family == "generation" and spec.image_token is None:
        raise SystemExit("image_token_index is required: HF cannot run checkpoints without image tokens")
    layers = spec.text.get("num_layers", 6)
    if spec.is_t5 and spec.text.get("num_decoder_layers", layers) > layers:
        raise SystemExit("num_decoder_layers must not exceed num_layers: HF's cache has as many layers as the encoder, and its generate fails")
    return spec
