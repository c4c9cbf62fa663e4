#!/usr/bin/env python3
"""Recomputes the outputs of committed cases from their checkpoints and recorded inputs.

The weights of these cases are random and fixed: the checkpoint is the source. Prints for each entry the largest
difference, and its ratio to the tolerance. The exit status is 1 if an entry is not reproduced. With --write, stores the
new outputs of a case if all its entries are.
"""

import argparse
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import transformers

from goldens.remakes.case import RecordedCase
from goldens.remakes.kinds import call

# As when the cases were recorded: the order of summation depends on the number of threads. All other sets used one.
THREADS = {"own": 2}
DIGITS = 7


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="+", help="folder of a case")
    parser.add_argument("--write", action="store_true", help="store the outputs")
    arguments = parser.parse_args()
    torch.set_grad_enabled(False)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    made = [remake(folder, arguments.write) for folder in arguments.folder]
    return 0 if all(made) else 1


def remake(folder: Path, write: bool) -> bool:
    return (remake_case if (folder / "golden.json").exists() else remake_values)(folder, write)


def remake_case(folder: Path, write: bool) -> bool:
    """A case in the format `blip2-golden/1`."""
    case = RecordedCase(folder)
    torch.set_num_threads(THREADS.get(case.manifest["set"], 1))
    made_with = case.manifest["made_with"].get("transformers", transformers.__version__)
    if made_with != transformers.__version__:
        print(f"{folder.name}: recorded with transformers {made_with}, this is {transformers.__version__}")
    results = [remake_entry(case, entry) for entry in case.manifest["entries"]]
    reproduced = [difference for difference, ratio in results if ratio <= 1]
    counts = f"{len(reproduced)} of {len(results)} entries reproduced, {reproduced.count(0.0)} equal"
    print(f"{folder.name}: {counts}, largest difference {max(reproduced, default=0):.1e}")
    if len(reproduced) < len(results):
        return False
    if write:
        case.write()
    return True


def remake_entry(case: RecordedCase, entry: dict) -> tuple[float, float]:
    """The largest difference of an entry, and its ratio to the tolerance. An exception counts as infinite."""
    try:
        difference, ratio = case.compare(entry, call(case, entry))
        result = f"largest difference {difference:.1e}, {ratio:.2g} of the tolerance"
    except Exception as error:
        difference = ratio = float("inf")
        result = f"{type(error).__name__}: {error}"
    print(f"{case.folder.name}  {entry['name']}  {'' if ratio <= 1 else 'NOT REPRODUCED: '}{result}")
    return difference, ratio


def load(folder: Path, name: str) -> torch.nn.Module:
    return getattr(transformers, name).from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


def remake_values(folder: Path, write: bool) -> bool:
    """The outputs of a language model as JSON, rounded to seven digits."""
    torch.set_num_threads(THREADS["own"])
    file = folder / "values.json"
    values = json.loads(file.read_text("utf-8"))
    ids = torch.tensor(values["inputIds"])
    mask = torch.tensor(values["attentionMask"])
    states = {"output_hidden_states": True, "output_attentions": True}
    out = load(folder, "OPTForCausalLM")(input_ids=ids, attention_mask=mask, labels=ids, **states)
    made = {
        **values, "loss": [rounded(out.loss.item())], "logits": described(out.logits),
        "hiddenStates": [described(tensor) for tensor in out.hidden_states],
        "attentions": [described(tensor) for tensor in out.attentions],
    }
    print(f"{folder.name}  {'equal' if made == values else 'DIFFERENT'}")
    if write:
        file.write_text(json.dumps(made), "utf-8")
    return made == values


def rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def described(tensor: torch.Tensor) -> dict:
    return {"dims": list(tensor.shape), "data": [rounded(value) for value in tensor.reshape(-1).tolist()]}


if __name__ == "__main__":
    sys.exit(main())
