#!/usr/bin/env python3
"""Makes one golden case: a tiny checkpoint with random weights, and what Hugging Face Transformers (HF) computes from it."""

import argparse
import os
import sys
from pathlib import Path

# One thread: the same seed gives the same bytes.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, help="a model's config.json, or a file of configs/ that holds one under `config`")
    parser.add_argument("--out", type=Path, help="folder of the case; its name becomes the case's name. Must not exist, or be a case")
    parser.add_argument("--seed", type=int, help="seed of the weights")
    parser.add_argument("--dtype", choices=("float32", "float16", "bfloat16"), help="type in which the weights are stored")
    parser.add_argument("--shards", type=int, help="number of weight files")
    parser.add_argument("--mutate", metavar="NAME", help="make this deliberate mistake: a runner must fail")
    parser.add_argument("--list-mutations", action="store_true")
    arguments = parser.parse_args()
    if not arguments.list_mutations and (arguments.config is None or arguments.out is None):
        parser.error("--config and --out are needed")
    return arguments


def main() -> int:
    arguments = parse_arguments()
    from goldens.mutations import MUTATIONS

    if arguments.list_mutations:
        print("\n".join(MUTATIONS))
        return 0
    from goldens.case import make_case
    from goldens.spec import read_spec

    spec = read_spec(arguments.config, arguments.out.name, seed=arguments.seed, dtype=arguments.dtype, shards=arguments.shards)
    make_case(spec, arguments.out, arguments.mutate)
    return 0


if __name__ == "__main__":
    sys.exit(main())
