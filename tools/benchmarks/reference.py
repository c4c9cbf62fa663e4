"""The measurements of `blip2 bench` for Transformers on PyTorch: python reference.py FOLDER IMAGE SETTING [ROUNDS] [NEW_TOKENS].

SETTING is float32, bfloat16 or int8 (dynamic quantization of every linear layer); `+compile` adds torch.compile. Prints one line of JSON with samples, under
the names and rules of `blip2 bench`. Needs torch, transformers and pillow. One setting per process: the first caption is timed from its start.
"""
import gc
import io
import json
import os
import platform
import re
import statistics
import sys
import time

import PIL
import torch
import transformers
from PIL import Image, ImageChops
from transformers import Blip2ForConditionalGeneration, BlipImageProcessor

BEAMS = 5
BATCH = 8
# As in `blip2 bench`: three times in a row within 5 % of their median.
STABLE_RUNS, TOLERANCE = 3, 0.05
WARM_UP_CAPTIONS, WARM_UP_RUNS = 11, 4


def main(folder, image, setting, rounds="3", new_tokens="10"):
    rounds, new_tokens = int(rounds), int(new_tokens)
    started = time.perf_counter()
    model, processor = load(folder, setting)
    loaded = time.perf_counter()

    def caption(length=new_tokens, images=[image], beams=1):
        pixels = read(processor, images, model.dtype)
        model.generate(pixel_values=pixels, min_new_tokens=length, max_new_tokens=length, num_beams=beams, do_sample=False)

    caption()
    first_caption_ms, ready = since_process_start_ms(), time.perf_counter()
    warm_up = until_stable(caption, WARM_UP_CAPTIONS)
    samples = {name: [] for name in ("visionMs", "qformerMs", "prefillMs", "tokenMs", "captionMs", "beams5Ms", "batch8CaptionsPerSecond")}
    for round_ in range(rounds + 1):
        caption_ms = timed(caption)
        steps = time_steps(model, read(processor, [image], model.dtype), new_tokens)
        # The first round is the warm-up.
        if round_ > 0:
            samples["captionMs"].append(caption_ms)
            for name, values in steps.items():
                samples[name].extend(values)
    memory = {"peakMiB": [status("VmHWM")], "rssAnonMiB": [status("RssAnon")]}
    files = distinct_images(image, BATCH)
    until_stable(lambda: caption(beams=BEAMS), WARM_UP_RUNS)
    until_stable(lambda: caption(images=files), WARM_UP_RUNS)
    for _ in range((rounds + 1) // 2):
        samples["beams5Ms"].append(timed(lambda: caption(beams=BEAMS)))
        samples["batch8CaptionsPerSecond"].append(1e3 * BATCH / timed(lambda: caption(images=files)))
    load_ms = max(loaded - started, ready - started - statistics.median(samples["captionMs"]) / 1e3) * 1e3
    first = {"firstCaptionMs": [first_caption_ms], "secondCaptionMs": warm_up[:1], "warmUpCaptions": [1 + len(warm_up)]}
    samples |= {"loadMs": [load_ms], **first, **memory, "batchPeakMiB": [status("VmHWM")]}
    versions = {"python": platform.python_version(), "torch": torch.__version__, "transformers": transformers.__version__, "pillow": PIL.__version__}
    print(json.dumps({"setting": setting, "samples": samples, "threads": torch.get_num_threads(), "versions": versions}))


def until_stable(work, most):
    times = []
    while len(times) < most and not is_stable(times[-STABLE_RUNS:]):
        times.append(timed(work))
    return times


def is_stable(times):
    middle = statistics.median(times) if times else 0
    return len(times) == STABLE_RUNS and all(abs(time - middle) <= TOLERANCE * middle for time in times)


def distinct_images(file, count):
    """The file and variants of it, shifted sideways."""
    picture = Image.open(file).convert("RGB")
    variants = [io.BytesIO() for _ in range(count - 1)]
    for number, variant in enumerate(variants, 1):
        ImageChops.offset(picture, round(picture.width * number / count), 0).save(variant, "JPEG", quality=90)
    return [file, *variants]


def load(folder, setting):
    precision, *compiled = setting.split("+")
    dtype = {"float32": torch.float32, "bfloat16": torch.bfloat16, "int8": torch.float32}[precision]
    model = Blip2ForConditionalGeneration.from_pretrained(folder, dtype=dtype).eval()
    if precision == "int8":
        torch.ao.quantization.quantize_dynamic(model, {torch.nn.Linear}, dtype=torch.qint8, inplace=True)
        gc.collect()
    if compiled:
        # In place: `generate` expects the original parts.
        for part in (model.vision_model, model.qformer, model.language_model):
            part.compile(dynamic=part is model.language_model)
    return model, BlipImageProcessor.from_pretrained(folder)


def read(processor, images, dtype):
    return processor([Image.open(image).convert("RGB") for image in images], return_tensors="pt").pixel_values.to(dtype)


def time_steps(model, pixels, new_tokens):
    """One caption step by step, with the default prompt of `generate`."""
    config, laps = model.config, Laps()
    patches = model.vision_model(pixels, return_dict=True).last_hidden_state
    vision_ms = laps.lap()
    mask = torch.ones(patches.shape[:-1], dtype=torch.long)
    queries = model.qformer(query_embeds=model.query_tokens, encoder_hidden_states=patches, encoder_attention_mask=mask, return_dict=True).last_hidden_state
    prefix = model.language_projection(queries.to(patches.dtype))
    qformer_ms = laps.lap()
    ids = torch.tensor([[config.image_token_id] * config.num_query_tokens + [config.text_config.bos_token_id]])
    embeds = model.get_input_embeddings()(ids)
    embeds = embeds.masked_scatter((ids == config.image_token_id).unsqueeze(-1), prefix.to(embeds.dtype))
    step = start_causal(model, embeds) if config.use_decoder_only_language_model else start_seq2seq(model, embeds)
    prefill_ms = laps.lap()
    token_ms = []
    for token in range(1, new_tokens):
        step(torch.tensor([[token]]))
        token_ms.append(laps.lap())
    return {"visionMs": [vision_ms], "qformerMs": [qformer_ms], "prefillMs": [prefill_ms], "tokenMs": token_ms}


def start_causal(model, embeds):
    length = embeds.shape[1]
    # As in `generate`, logits of the last position only.
    output = model.language_model(inputs_embeds=embeds, attention_mask=torch.ones(1, length, dtype=torch.long), use_cache=True, logits_to_keep=1)

    def step(ids):
        nonlocal output, length
        length += 1
        output = model.language_model(input_ids=ids, attention_mask=torch.ones(1, length, dtype=torch.long), past_key_values=output.past_key_values, use_cache=True)

    return step


def start_seq2seq(model, embeds):
    mask = torch.ones(embeds.shape[:-1], dtype=torch.long)
    encoded = model.language_model.get_encoder()(inputs_embeds=embeds, attention_mask=mask)
    past = None

    def step(ids):
        nonlocal past
        past = model.language_model(encoder_outputs=encoded, attention_mask=mask, decoder_input_ids=ids, past_key_values=past, use_cache=True).past_key_values

    step(torch.tensor([[model.config.text_config.decoder_start_token_id]]))
    return step


class Laps:
    def __init__(self):
        self.at = time.perf_counter()

    def lap(self):
        before, self.at = self.at, time.perf_counter()
        return (self.at - before) * 1e3


def timed(work):
    laps = Laps()
    work()
    return laps.lap()


def status(name):
    """A value of /proc/self/status, in MiB."""
    with open("/proc/self/status") as file:
        return int(re.search(name + r":\s+(\d+) kB", file.read())[1]) / 1024


def since_process_start_ms():
    with open("/proc/self/stat") as file:
        # The 22nd value. The second, the name in parentheses, may contain spaces.
        ticks = int(file.read().rsplit(")", 1)[1].split()[19])
    return (time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")) * 1e3


with torch.inference_mode():
    main(*sys.argv[1:])
