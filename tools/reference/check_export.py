"""Runs the goldens of a case on exported ONNX files, in onnxruntime: no torch, no transformers.

    blip2 export ../parity/cases/opt/checkpoint -o /tmp/opt
    python check_export.py ../parity/cases/opt /tmp/opt

Needs `pip install onnx onnxruntime numpy safetensors`. The exit status is 1 if the ONNX checker rejects a file, or if an
output differs by more than the tolerance of its entry; ids must be equal.
"""

import argparse
import json
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import load_file

GREEDY_OPTIONS = {"max_new_tokens", "min_new_tokens", "pad_token_id"}


class Export:
    """The files of an export, opened on first use."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.manifest = json.loads((self.folder / "onnx_export.json").read_text())
        self.config = json.loads((self.folder / "config.json").read_text())
        self.sessions = {}

    def __contains__(self, name):
        return name in self.manifest["files"]

    def session(self, name):
        if name not in self.sessions:
            path = self.folder / self.manifest["files"][name]["file"]
            self.sessions[name] = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        return self.sessions[name]

    def run(self, name, **inputs):
        """All outputs of a file by name."""
        session = self.session(name)
        outputs = [output.name for output in session.get_outputs()]
        return dict(zip(outputs, session.run(outputs, inputs)))

    def check(self):
        """Runs the ONNX checker with shape inference over every file, and compares inputs and outputs with the manifest."""
        for name, entry in self.manifest["files"].items():
            path = self.folder / entry["file"]
            onnx.checker.check_model(str(path), full_check=True)
            model = onnx.load(str(path), load_external_data=False)
            domains = {node.domain for node in model.graph.node}
            if self.manifest["portable"] and domains != {""}:
                raise SystemExit(f"{name} has operators of {sorted(domains)}")
            session = self.session(name)
            for kind, values in (("inputs", session.get_inputs()), ("outputs", session.get_outputs())):
                stated = [(value["name"], value["shape"]) for value in entry[kind]]
                if stated != [(value.name, value.shape) for value in values]:
                    raise SystemExit(f"{name}: the {kind} differ from onnx_export.json")

    # The model

    def embed(self, ids):
        return self.run("embed_tokens", input_ids=ids)["inputs_embeds"]

    def image_features(self, pixel_values, qformer=None):
        patches = self.run("vision_model", pixel_values=pixel_values)["last_hidden_state"]
        queries = self.run("qformer_model", encoder_hidden_states=patches, **(qformer or {}))["last_hidden_state"]
        return self.run("language_projection", query_output=queries)["inputs_embeds"]

    def prompt(self, inputs):
        """Embeddings of ids with the features of images in the place of their tokens, and the attention mask."""
        ids = inputs["input_ids"]
        mask = inputs.get("attention_mask", np.ones_like(ids))
        embeds = self.embed(ids)
        if "pixel_values" not in inputs:
            return embeds, mask
        qformer = {key: inputs[key] for key in ("qformer_input_ids", "qformer_attention_mask") if key in inputs}
        if "qformer_input_ids" in qformer and "qformer_attention_mask" not in qformer:
            qformer["qformer_attention_mask"] = np.ones_like(qformer["qformer_input_ids"])
        features = self.image_features(inputs["pixel_values"], qformer)
        token = self.manifest.get("imageTokenIndex")
        if token is None:
            mask = np.concatenate([np.ones(features.shape[:2], np.int64), mask], axis=1)
            return np.concatenate([features, embeds], axis=1), mask
        embeds[ids == token] = features.reshape(-1, features.shape[-1])
        return embeds, mask

    def start(self, embeds, mask):
        """The state of a decoding: what `step` needs in addition to new tokens."""
        decoder = self.session("decoder_model_merged")
        rows = embeds.shape[0]
        past = {
            value.name: np.zeros((rows, value.shape[1], 0, value.shape[3]), np.float32)
            for value in decoder.get_inputs()
            if value.name.startswith("past_key_values")
        }
        if "encoder_model" not in self:
            return {"past": past, "mask": mask[:, :0], "fixed": {}}
        states = self.run("encoder_model", inputs_embeds=embeds, attention_mask=mask)["last_hidden_state"]
        return {"past": past, "fixed": {"encoder_hidden_states": states, "encoder_attention_mask": mask}}

    def step(self, state, embeds, mask=None):
        """Logits of new positions; the state goes on behind them."""
        inputs = {"inputs_embeds": embeds, **state["past"], **state["fixed"]}
        if "mask" in state:
            new = np.ones(embeds.shape[:2], np.int64) if mask is None else mask
            state["mask"] = inputs["attention_mask"] = np.concatenate([state["mask"], new], axis=1)
        outputs = self.run("decoder_model_merged", **inputs)
        state["past"] = {
            name.replace("present", "past_key_values"): value
            for name, value in outputs.items()
            if name.startswith("present")
        }
        return outputs["logits"]

    def special(self, name):
        """A special token: that of generation_config.json, else the one that the manifest states."""
        generation = self.folder / "generation_config.json"
        stated = json.loads(generation.read_text()) if generation.exists() else {}
        words = name.split("_")
        camel = words[0] + "".join(word.capitalize() for word in words[1:])
        value = stated.get(name)
        return self.manifest["specialTokens"].get(camel) if value is None else value

    def forward(self, inputs):
        embeds, mask = self.prompt(inputs)
        state = self.start(embeds, mask)
        if "encoder_model" not in self:
            return self.step(state, embeds, mask)
        return self.step(state, self.embed(self.decoder_ids(inputs)))

    def decoder_ids(self, inputs):
        if "decoder_input_ids" in inputs:
            return inputs["decoder_input_ids"]
        labels = inputs["labels"]
        first = np.full((labels.shape[0], 1), self.special("decoder_start_token_id"))
        shifted = np.concatenate([first, labels[:, :-1]], axis=1)
        return np.where(shifted == -100, self.special("pad_token_id"), shifted)

    def generate(self, inputs, max_new_tokens, min_new_tokens=0, pad_token_id=None):
        """Greedy search; finished rows are padded."""
        embeds, mask = self.prompt(inputs)
        state = self.start(embeds, mask)
        if "encoder_model" in self:
            ids = np.full((embeds.shape[0], 1), self.special("decoder_start_token_id"))
            logits = self.step(state, self.embed(ids))
        else:
            logits = self.step(state, embeds, mask)
        end = self.special("eos_token_id")
        ends = np.array([] if end is None else end, np.int64).reshape(-1)
        pad = self.special("pad_token_id") if pad_token_id is None else pad_token_id
        pad = ends[0] if pad is None and ends.size else pad or 0
        done = np.zeros(embeds.shape[0], bool)
        tokens = []
        while True:
            last = logits[:, -1].copy()
            if len(tokens) < min_new_tokens:
                last[:, ends] = -np.inf
            chosen = np.where(done, pad, last.argmax(-1))
            tokens.append(chosen)
            done |= np.isin(chosen, ends)
            if done.all() or len(tokens) == max_new_tokens:
                return np.stack(tokens, axis=1).tolist()
            logits = self.step(state, self.embed(chosen[:, None]))

    def retrieval(self, inputs, matching):
        patches = self.run("vision_model", pixel_values=inputs["pixel_values"])["last_hidden_state"]
        text = {name: inputs[name] for name in ("input_ids", "attention_mask")}
        if matching:
            queries = self.run("qformer_multimodal_model", encoder_hidden_states=patches, **text)["last_hidden_state"]
            return {"logits_per_image": self.run("itm_head", states=queries)["logits"]}
        queries = self.run("qformer_model", encoder_hidden_states=patches)["last_hidden_state"]
        images = self.run("vision_projection", states=queries)["embeds"]
        states = self.run("qformer_text_model", **text)["last_hidden_state"]
        texts = self.run("text_projection", states=states)["embeds"][:, 0]
        scores = np.einsum("iqd,td->iqt", images, texts).max(axis=1)
        return {"image_embeds": images, "text_embeds": texts, "logits_per_image": scores}


class Skip(Exception):
    """The entry is about something that an export does not have."""


def counts_padding(export, inputs):
    """Whether HF counts padding as positions here, as it does in `forward` but not in `generate`: the files never do.

    Learned positions of GPT-2 differ then, and the distances of rotary positions across padding.
    """
    mask = inputs.get("attention_mask")
    family = export.config.get("text_config", export.config)["model_type"]
    if mask is None or mask.all() or family in ("opt", "t5"):
        return False
    return family == "gpt2" or bool((np.diff(mask, axis=1) < 0).any())


def call(export, kind, inputs, options):
    """The outputs of an entry by name."""
    only = lambda *names: set(inputs) <= set(names)
    if kind == "vision_forward":
        if options.get("interpolate_pos_encoding") or "vision_model" not in export:
            raise Skip
        return export.run("vision_model", pixel_values=inputs["pixel_values"])
    if kind == "qformer_forward":
        files = [value["name"] for value in export.manifest["files"]["qformer_model"]["inputs"]]
        if only("encoder_hidden_states") and files == ["encoder_hidden_states"]:
            return export.run("qformer_model", encoder_hidden_states=inputs["encoder_hidden_states"])
        raise Skip
    if kind == "language_projection":
        projected = export.run("language_projection", query_output=inputs["query_output"])["inputs_embeds"]
        return {"projected": projected}
    if kind in ("forward", "language_model_forward"):
        names = ("pixel_values", "input_ids", "attention_mask", "labels", "decoder_input_ids")
        if options.get("interpolate_pos_encoding") or "input_ids" not in inputs:
            raise Skip
        if not only(*names, "qformer_input_ids", "qformer_attention_mask") or counts_padding(export, inputs):
            raise Skip
        return {"logits": export.forward(inputs)}
    if kind in ("generate", "language_model_generate"):
        if not set(options) <= GREEDY_OPTIONS or "max_new_tokens" not in options or "input_ids" not in inputs:
            raise Skip
        return {"new_tokens": export.generate(inputs, **options)}
    if kind == "image_text_retrieval":
        return export.retrieval(inputs, options.get("use_image_text_matching_head", False))
    raise Skip


def value_of(value, tensors):
    if isinstance(value, dict) and "tensor" in value:
        return tensors[value["tensor"]]
    if isinstance(value, dict) and "concat" in value:
        return np.concatenate([tensors[name] for name in value["concat"]])
    if isinstance(value, list):
        try:
            return np.array(value, np.int64)
        except (ValueError, TypeError):
            return value
    return value


def compare(name, actual, expected, entry):
    """The largest difference in units of the tolerance; ids must be equal."""
    if not isinstance(expected, np.ndarray):
        return 0.0 if actual == expected else np.inf
    if expected.dtype.kind == "i":
        return 0.0 if np.array_equal(actual, expected) else np.inf
    if actual.shape != expected.shape:
        return np.inf
    rows = entry.get("compare_rows", {}).get(name)
    if rows is not None:
        actual = np.where(np.array(rows, bool)[..., None], actual, 0)
    tolerance = entry["tolerance"]["atol"] + entry["tolerance"]["rtol"] * np.abs(expected)
    return float(np.max(np.abs(actual - expected) / tolerance))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", type=pathlib.Path)
    parser.add_argument("export", type=pathlib.Path)
    parser.add_argument("--scale", type=float, default=1.0, help="factor of the tolerances, for quantized files")
    parser.add_argument("--verbose", action="store_true", help="one line for every entry")
    given = parser.parse_args()
    export = Export(given.export)
    export.check()
    golden = json.loads((given.case / "golden.json").read_text())
    tensors = load_file(given.case / "golden.safetensors")
    counts = {"equal": 0, "different": 0, "skipped": 0}
    worst = 0.0
    for entry in golden["entries"]:
        inputs = {name: value_of(value, tensors) for name, value in entry["inputs"].items()}
        try:
            outputs = call(export, entry["kind"], inputs, entry["options"])
            shared = [name for name in entry["outputs"] if name in outputs]
            if not shared:
                raise Skip
        except Skip:
            counts["skipped"] += 1
            continue
        ratio = max(compare(name, outputs[name], value_of(entry["outputs"][name], tensors), entry) for name in shared)
        worst = max(worst, ratio)
        passed = ratio <= given.scale
        counts["equal" if passed else "different"] += 1
        if given.verbose or not passed:
            print(f"{'equal' if passed else 'DIFFERENT':9} {ratio:8.3f}  {entry['name']} ({', '.join(shared)})")
    print(f"{given.case.name}: {counts}, largest difference {worst:.3f} of the tolerance")
    sys.exit(1 if counts["different"] or not counts["equal"] else 0)


if __name__ == "__main__":
    main()
