"""The command line of a program that makes one case from a file of `configs/`."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

import torch
import transformers

from .models import keep_float64
from .spec import Spec

SEEDS = 40


def make_from_config(description: str, make_case: Callable[[Spec, Path, dict], bool]) -> int:
    """Tries seeds until `make_case(spec, folder, file)` accepts one. Returns the exit status."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--config", type=Path, required=True, help="a file of configs/")
    parser.add_argument("--out", type=Path, required=True, help="folder of the case; its name becomes the case's name")
    arguments = parser.parse_args()
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    keep_float64()
    read = json.loads(arguments.config.read_text("utf-8"))
    for seed in range(SEEDS):
        spec = Spec(arguments.out.name, read["config"], read["description"], seed)
        if make_case(spec, arguments.out, read):
            return 0
    print(f"no seed below {SEEDS} is accepted")
    return 1
