"""Differences between two results of one call."""

import math

import torch


def pairs(expected: dict, actual: dict, compare_rows: dict | None):
    """Pairs of tensors without padding. The first is None if shapes or plain values differ."""
    for name, value in expected.items():
        other = actual[name]
        if isinstance(value, torch.Tensor):
            mask = torch.tensor(compare_rows[name]).bool() if compare_rows and name in compare_rows else ...
            yield value[mask], other[mask]
        elif isinstance(value, (list, tuple)) and value and isinstance(value[0], torch.Tensor):
            yield from zip(value, other) if [each.shape for each in value] == [each.shape for each in other] else [(None, None)]
        elif value != other:
            yield None, None


def differences(expected: torch.Tensor | None, actual: torch.Tensor | None, scale) -> float:
    if expected is None or expected.shape != actual.shape:
        return math.inf
    expected, actual = expected.double(), actual.double()
    finite = torch.isfinite(expected)
    if not torch.equal(expected[~finite], actual[~finite]) or not torch.isfinite(actual[finite]).all():
        return math.inf
    return scale(expected[finite], actual[finite]) if finite.any() else 0.0


def largest_difference(expected: dict, actual: dict, compare_rows: dict | None) -> float:
    return max((differences(a, b, lambda x, y: (x - y).abs().max().item()) for a, b in pairs(expected, actual, compare_rows)), default=0.0)


def largest_ratio(expected: dict, actual: dict, compare_rows: dict | None, tolerance: dict) -> float:
    """Largest difference relative to the tolerance; infinite if exact values differ."""

    def ratio(x: torch.Tensor, y: torch.Tensor) -> float:
        return ((x - y).abs() / (tolerance["atol"] + tolerance["rtol"] * y.abs()).clamp_min(1e-30)).max().item()

    return max((differences(a, b, ratio) for a, b in pairs(expected, actual, compare_rows)), default=0.0)
