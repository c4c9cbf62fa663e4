"""Images drawn by formula, free of copyright."""

from pathlib import Path

import numpy
from PIL import Image

# Name → mode, width, height.
IMAGES = {"waves.png": ("RGB", 52, 41), "rings.png": ("L", 33, 47), "tiles.png": ("RGBA", 40, 40)}


def draw_images(folder: Path) -> dict[str, dict]:
    """Writes the images and returns their entries in the manifest."""
    folder.mkdir()
    described = {}
    for seed, (name, (mode, width, height)) in enumerate(IMAGES.items()):
        Image.fromarray(draw(seed, width, height, len(mode))).save(folder / name)
        described[name] = {"file": f"images/{name}", "format": "PNG", "mode": mode, "width": width, "height": height}
    return described


def draw(seed: int, width: int, height: int, channels: int) -> numpy.ndarray:
    """Two waves per channel, tiles and a little noise. One channel is grey, four include alpha."""
    random = numpy.random.RandomState(seed)
    y, x = numpy.mgrid[0:height, 0:width]
    layers = []
    for _ in range(channels):
        a, b, c, d = random.uniform(0.05, 0.6, 4)
        layer = 128 + 60 * numpy.sin(a * x + b * y) + 50 * numpy.cos(c * x - d * y) + 25 * ((x // 7 + y // 5) % 2)
        layers.append(layer + random.randint(-9, 10, (height, width)))
    levels = numpy.clip(numpy.rint(numpy.stack(layers, -1)), 0, 255).astype(numpy.uint8)
    return levels[..., 0] if channels == 1 else levels


def open_image(folder: Path, name: str) -> Image.Image:
    """Opens an image as RGB: alpha is dropped, grey is expanded."""
    return Image.open(folder / name).convert("RGB")
