"""The reference's side of caption.mjs: python benchmarks/caption.py FOLDER PICTURE [RUNS] [float32|bfloat16|int8]. Needs torch, transformers, pillow. Prints one JSON line."""
import json
import re
import sys
import time

import torch
from PIL import Image
from transformers import Blip2ForConditionalGeneration, BlipImageProcessor

folder, picture, runs = sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 3
setting = sys.argv[4] if len(sys.argv) > 4 else "float32"
dtype = torch.bfloat16 if setting == "bfloat16" else torch.float32


def memory(name):
    return int(re.search(name + r":\s+(\d+)", open("/proc/self/status").read())[1]) / 1024


before_load = memory("RssAnon")
started = time.perf_counter()
model = Blip2ForConditionalGeneration.from_pretrained(folder, dtype=dtype).eval()
if setting == "int8":
    model = torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8, inplace=True)
processor = BlipImageProcessor.from_pretrained(folder)
load_ms = (time.perf_counter() - started) * 1e3
after_load = memory("RssAnon")
caption_ms = []
with torch.inference_mode():
    for run in range(runs + 1):
        start = time.perf_counter()
        pixels = processor(Image.open(picture).convert("RGB"), return_tensors="pt").pixel_values.to(dtype)
        model.generate(pixel_values=pixels, min_new_tokens=10, max_new_tokens=10)
        if run > 0:
            caption_ms.append((time.perf_counter() - start) * 1e3)
print(json.dumps({"side": "pytorch", "setting": setting, "loadMs": load_ms, "captionMs": caption_ms, "rssAnonLoadMiB": after_load - before_load, "rssAnonMiB": memory("RssAnon"), "peakMiB": memory("VmHWM")}))
