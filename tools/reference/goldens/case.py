"""Makes a case."""

import math
import random
import shutil
from pathlib import Path

import torch
import transformers

from .entries.generation import add_generation
from .entries.inputs import CaseInputs, add_images, add_texts
from .entries.language import add_language
from .entries.parts import add_parts
from .entries.retrieval import add_retrieval
from .entries.whole import add_whole
from .manifest import Recorder, write_manifest
from .models import keep_float64, load_models, load_processor, write_checkpoint
from .mutations import mutate
from .images import draw_images
from .spec import Spec


def make_case(spec: Spec, folder: Path, mutation: str | None) -> None:
    """Writes the case to a temporary folder next to its own, then renames it."""
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    keep_float64()
    random.seed(spec.seed)
    if folder.exists() and not (folder / "golden.json").exists():
        raise SystemExit(f"{folder} exists and is not a case")
    building = folder.with_name(folder.name + ".building")
    shutil.rmtree(building, ignore_errors=True)
    write_checkpoint(building / "checkpoint", spec)
    images = draw_images(building / "images") if spec.family != "language" else {}
    recorder = record(spec, building, mutation)
    write_manifest(building, spec, images, recorder)
    shutil.rmtree(folder, ignore_errors=True)
    building.rename(folder)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"{spec.name}: {len(recorder.entries)} entries, {size / 1e6:.2f} MB")
    if mutation:
        report(recorder)


def record(spec: Spec, folder: Path, mutation: str | None) -> Recorder:
    checkpoint = folder / "checkpoint"
    judged = None
    if mutation:
        judged = load_models(checkpoint, spec, torch.float32)
        mutate(mutation, judged)
    recorder = Recorder(load_models(checkpoint, spec, torch.float32), load_models(checkpoint, spec, torch.float64), judged)
    processor, tokenizer = load_processor(checkpoint, spec)
    inputs = CaseInputs(spec, folder / "images", processor, tokenizer)
    add_texts(recorder, inputs)
    if spec.family == "language":
        add_language(recorder, inputs)
        return recorder
    # The parts of models with another language model have cases of their own.
    if spec.has_own_parts:
        add_images(recorder, inputs)
        add_parts(recorder, inputs)
    if spec.family == "retrieval":
        add_retrieval(recorder, inputs)
    else:
        if spec.has_own_parts:
            add_language(recorder, inputs)
        add_whole(recorder, inputs)
        add_generation(recorder, inputs)
    return recorder


def report(recorder: Recorder) -> None:
    """Prints which entries a correct implementation must fail, given these wrong goldens."""
    noticed = {name: ratio for name, ratio in recorder.noticed.items() if ratio > 1}
    numbers = [ratio for ratio in noticed.values() if math.isfinite(ratio)]
    largest = f"largest difference {max(numbers):.0f} times the tolerance" if numbers else "ids only"
    print(f"mistake changes {len(noticed)} of {len(recorder.noticed)} entries, {largest}" if noticed else "mistake changes NOTHING")
    for name in noticed:
        print(f"  {name}")
