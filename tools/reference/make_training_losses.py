#!/usr/bin/env python3
"""Records the losses of training steps in PyTorch: stock modules, `torch.optim.AdamW` and `clip_grad_norm_`.

    make_training_losses.py MODEL IMAGES OUT.json

Images get the captions of their neighbours, so that there is something to learn. Order, schedule and groups of decay
are those that `@blip2/train` documents, written again here.
"""

import json
import math
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoTokenizer, Blip2ForConditionalGeneration

CAPTIONS = {
    "four-objects.png": "three green triangles",
    "four-of-a-kind.png": "a small red circle",
    "left-of.png": "two orange stars and a yellow star",
    "one-large-star.png": "a blue square above a white circle",
    "red-circle-above-blue-square.png": "four black squares",
    "small-one.png": "a large purple triangle",
    "three-objects.png": "a star",
    "three-of-a-kind.png": "two small white circles",
    "two-of-a-kind.png": "a green square to the left of a red star",
}
STEPS, BATCH, SEED, RATE, WARMUP, DECAY, BETAS, NORM = 10, 4, 7, 2e-3, 3, 0.05, (0.9, 0.98), 1.0
RUNS = {"projection": ["projection"], "bridge": ["query_tokens", "qformer", "projection"]}
PATHS = {"query_tokens": "query_tokens", "qformer": "qformer.", "projection": "language_projection."}


def mix(value: int) -> int:
    value &= 0xFFFFFFFF
    value = ((value ^ value >> 16) * 0x21F0AAAD) & 0xFFFFFFFF
    value = ((value ^ value >> 15) * 0x735A2D97) & 0xFFFFFFFF
    return value ^ value >> 15


def order(count: int, epoch: int) -> list[int]:
    rows = list(range(count))
    for last in range(count - 1, 0, -1):
        draw = mix(mix(mix(SEED) + epoch) + last)
        other = draw * (last + 1) // 2**32
        rows[last], rows[other] = rows[other], rows[last]
    return rows


def batch(count: int, step: int) -> list[int]:
    return [order(count, at // count)[at % count] for at in range(step * BATCH, (step + 1) * BATCH)]


def rate(step: int) -> float:
    if step < WARMUP:
        return RATE * (step + 1) / WARMUP
    return RATE * 0.5 * (1 + math.cos(math.pi * (step - WARMUP) / (STEPS - WARMUP)))


def main() -> None:
    folder, images, out = sys.argv[1:]
    torch.set_num_threads(1)
    processor, tokenizer = AutoImageProcessor.from_pretrained(folder, use_fast=False), AutoTokenizer.from_pretrained(folder)
    names = list(CAPTIONS)
    pixels = processor([Image.open(Path(images) / name) for name in names], return_tensors="pt")["pixel_values"]
    rows = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in CAPTIONS.values()]
    runs = {run: train(folder, parts, pixels, rows) for run, parts in RUNS.items()}
    settings = dict(steps=STEPS, batchSize=BATCH, seed=SEED, learningRate=RATE, warmupSteps=WARMUP, weightDecay=DECAY, betas=BETAS, maxNorm=NORM)
    pairs = [dict(image=name, caption=text) for name, text in CAPTIONS.items()]
    Path(out).write_text(json.dumps(dict(pairs=pairs, settings=settings, runs=runs), indent=1) + "\n")


def train(folder: str, parts: list[str], pixels: torch.Tensor, rows: list[list[int]]) -> dict:
    model = Blip2ForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    trained = {name: w for name, w in model.named_parameters() if any(name.startswith(PATHS[part]) for part in parts)}
    for name, w in model.named_parameters():
        w.requires_grad_(name in trained)
    with torch.no_grad():
        features = model.vision_model(pixels).last_hidden_state.half().float()
    isolated = lambda name, w: name == "query_tokens" or w.dim() < 2
    groups = [
        dict(params=[w for n, w in trained.items() if not isolated(n, w)], weight_decay=DECAY),
        dict(params=[w for n, w in trained.items() if isolated(n, w)], weight_decay=0.0),
    ]
    optimizer = torch.optim.AdamW(groups, lr=RATE, betas=BETAS, eps=1e-8)
    start, end = model.config.text_config.bos_token_id, model.config.text_config.eos_token_id
    losses, norms = [], []
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        picked = batch(len(rows), step)
        queries = model.query_tokens.expand(len(picked), -1, -1)
        states = model.qformer(query_embeds=queries, encoder_hidden_states=features[picked]).last_hidden_state
        prefix = model.language_projection(states)
        length = max(len(rows[i]) for i in picked) + 2
        ids = torch.ones(len(picked), length, dtype=torch.long)
        labels = torch.full((len(picked), prefix.shape[1] + length), -100)
        mask = torch.zeros_like(labels)
        mask[:, : prefix.shape[1]] = 1
        for row, index in enumerate(picked):
            text = [start, *rows[index], end]
            ids[row, : len(text)] = torch.tensor(text)
            mask[row, prefix.shape[1] : prefix.shape[1] + len(text)] = 1
            labels[row, prefix.shape[1] + 1 : prefix.shape[1] + len(text)] = torch.tensor(text[1:])
        embeds = torch.cat([prefix, model.language_model.get_input_embeddings()(ids)], 1)
        loss = model.language_model(inputs_embeds=embeds, attention_mask=mask, labels=labels).loss
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(list(trained.values()), NORM).item())
        optimizer.step()
        losses.append(loss.item())
    return dict(train=parts, losses=losses, norms=norms)


if __name__ == "__main__":
    main()
