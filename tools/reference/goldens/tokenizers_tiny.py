"""Tiny tokenizers of the three kinds in BLIP-2 repositories, trained on a few sentences by counting."""

import json
import math
from collections import Counter
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from .spec import Spec

CORPUS = (
    "a photo of two cats on a sofa . a red bus in the street . the dog is on the beach . question : how many cats are there ? answer : two . "
    "what is the woman holding ? a large fountain in front of a city . the old man is reading a newspaper . describe the image in detail . "
    "which colour is the umbrella ? blue and white flowers stand near an open window . children are playing football in the green park ."
)
WORDS = CORPUS.split()
SPARE_ROWS = 4


def save_tokenizer(folder: Path, spec: Spec) -> None:
    if spec.family == "retrieval":
        tokenizer, special = wordpiece(spec.config["qformer_config"]["vocab_size"])
    elif spec.is_t5:
        tokenizer, special = unigram(spec.image_token or spec.text["vocab_size"] - SPARE_ROWS)
    else:
        tokenizer, special = byte_pairs(spec.image_token or spec.text["vocab_size"] - SPARE_ROWS)
    if spec.image_token is not None:
        tokenizer.add_special_tokens([AddedToken("<image>", special=True, normalized=False)])
        assert tokenizer.token_to_id("<image>") == spec.image_token
    tokenizer.save(str(folder / "tokenizer.json"))
    write_json(folder / "special_tokens_map.json", special)
    write_json(folder / "tokenizer_config.json", {**special, "clean_up_tokenization_spaces": False, "model_max_length": 512, "tokenizer_class": "PreTrainedTokenizerFast"})


def byte_pairs(size: int) -> tuple[Tokenizer, dict]:
    """Byte-level BPE as in OPT: `</s>` before the text."""
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    vocabulary = special + sorted(pre_tokenizers.ByteLevel.alphabet())
    words = Counter(tuple("Ġ" + word) for word in WORDS)
    merges = []
    while len(vocabulary) < size:
        pairs = Counter()
        for word, count in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += count
        if not pairs:
            raise SystemExit(f"the corpus yields {len(vocabulary)} tokens, {size} are needed")
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        vocabulary.append("".join(best))
        words = Counter({merged(word, best): count for word, count in words.items()})
    tokenizer = Tokenizer(models.BPE(vocab={token: index for index, token in enumerate(vocabulary)}, merges=merges, unk_token=None))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    tokenizer.post_processor = processors.TemplateProcessing("</s> $A", special_tokens=[("</s>", 2)])
    return tokenizer, {"bos_token": "</s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "</s>"}


def merged(word: tuple[str, ...], pair: tuple[str, str]) -> tuple[str, ...]:
    result: list[str] = []
    for part in word:
        if result and (result[-1], part) == pair:
            result[-1] += part
        else:
            result.append(part)
    return tuple(result)


def unigram(size: int) -> tuple[Tokenizer, dict]:
    """Unigram pieces as in T5: `</s>` after the text."""
    pieces = substrings("▁")
    singles = sorted({character for word in WORDS for character in "▁" + word} | set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789,!'"))
    longer = sorted((piece for piece in pieces if len(piece) > 1), key=lambda piece: (-pieces[piece] * len(piece), piece))
    chosen = (singles + longer)[: size - 3]
    if len(chosen) < size - 3:
        raise SystemExit(f"the corpus yields {len(chosen) + 3} tokens, {size} are needed")
    total = sum(pieces.values())
    scores = [(piece, round(math.log((pieces[piece] + 0.5) / total), 4)) for piece in chosen]
    tokenizer = Tokenizer(models.Unigram([("<pad>", 0.0), ("</s>", 0.0), ("<unk>", -20.0), *scores], unk_id=2, byte_fallback=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in ("<pad>", "</s>", "<unk>")])
    tokenizer.post_processor = processors.TemplateProcessing("$A </s>", special_tokens=[("</s>", 1)])
    return tokenizer, {"eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}


def wordpiece(size: int) -> tuple[Tokenizer, dict]:
    """Lower-cased WordPiece as in the Q-Former: the text is between `[CLS]` and `[SEP]`; `[DEC]` is the last id."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    singles = sorted({character for word in WORDS for character in word} | set("0123456789,!'"))
    words = [word for word, _ in sorted(Counter(WORDS).items(), key=lambda item: (-item[1], item[0])) if len(word) > 1]
    vocabulary = (special + singles + ["##" + character for character in singles] + words)[: size - 1]
    tokenizer = Tokenizer(models.WordPiece({token: index for index, token in enumerate(vocabulary)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in [*special, "[DEC]"]])
    tokenizer.post_processor = processors.TemplateProcessing("[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return tokenizer, {"bos_token": "[DEC]", "cls_token": "[CLS]", "mask_token": "[MASK]", "pad_token": "[PAD]", "sep_token": "[SEP]", "unk_token": "[UNK]"}


def substrings(start: str) -> Counter:
    """Number of occurrences of each piece of up to eight characters."""
    counts: Counter = Counter()
    for word in WORDS:
        marked = start + word
        for begin in range(len(marked)):
            for end in range(begin + 1, min(begin + 9, len(marked) + 1)):
                counts[marked[begin:end]] += 1
    return counts


def write_json(file: Path, value: dict) -> None:
    file.write_text(json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True) + "\n", "utf-8")
