"""Records what transformers' `generate` does over a language model that is a formula: search-goldens.json, read by search-goldens.test.ts.

The score of token `id` after the ids `h` (padding left out; seq2seq: the prompt's ids, -1, the decoder's ids) is float32(3 * noise([*h, -2, id])).
Run with Python 3.11, torch 2.13.0 and transformers 5.18.0: python make-search-goldens.py > search-goldens.json
"""
import itertools, json
import torch, transformers
from torch import nn
from transformers import GenerationConfig, GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput, CausalLMOutput, Seq2SeqLMOutput

VOCABULARY, PAD, BOS, EOS = 14, 1, 0, 2
MASK = 0xFFFFFFFF


def mix(bits):
    bits &= MASK
    bits = ((bits ^ (bits >> 16)) * 0x21F0AAAD) & MASK
    bits = ((bits ^ (bits >> 15)) * 0x735A2D97) & MASK
    return bits ^ (bits >> 15)


def noise(seeds):
    state = 0
    for seed in seeds:
        state = mix(state + 0x9E3779B9 + seed)
    return state / 2**31 - 1


def scores(history):
    return [3 * noise([*history, -2, token]) for token in range(VOCABULARY)]


class Config(PretrainedConfig):
    model_type = "formula"
    vocab_size = VOCABULARY
    max_position_embeddings = 30
    hidden_size, num_hidden_layers, num_attention_heads = 1, 1, 1


class Causal(PreTrainedModel, GenerationMixin):
    config_class = Config
    main_input_name = "input_ids"

    def __init__(self, config):
        super().__init__(config)
        self.weight = nn.Parameter(torch.zeros(1))
        self.post_init()

    def forward(self, input_ids, attention_mask=None, **_):
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        rows = [scores([i for i, m in zip(ids, keep) if m]) for ids, keep in zip(input_ids.tolist(), mask.tolist())]
        return CausalLMOutput(logits=torch.tensor(rows, dtype=torch.float32)[:, None])


class Encoder(nn.Module):
    main_input_name = "input_ids"

    def forward(self, input_ids, attention_mask=None, **_):
        return BaseModelOutput(last_hidden_state=input_ids[..., None].float())


class Seq2Seq(Causal):
    def __init__(self, config):
        super().__init__(config)
        self.encoder = Encoder()

    def get_encoder(self, modality=None):
        return self.encoder

    def forward(self, decoder_input_ids=None, encoder_outputs=None, attention_mask=None, **_):
        prompts = encoder_outputs[0][..., 0].long().tolist()
        rows = [scores([i for i, m in zip(prompt, keep) if m] + [-1] + ids) for prompt, keep, ids in zip(prompts, attention_mask.tolist(), decoder_input_ids.tolist())]
        return Seq2SeqLMOutput(logits=torch.tensor(rows, dtype=torch.float32)[:, None])


def case(model, rows, options):
    width = max(map(len, rows))
    causal = not model.config.is_encoder_decoder
    pads = [[PAD] * (width - len(row)) for row in rows]
    ids = torch.tensor([pad + row if causal else row + pad for pad, row in zip(pads, rows)])
    mask = torch.tensor([[0] * len(pad) + [1] * len(row) if causal else [1] * len(row) + [0] * len(pad) for pad, row in zip(pads, rows)])
    special = dict(pad_token_id=PAD, bos_token_id=BOS, eos_token_id=EOS, decoder_start_token_id=BOS)
    given = {**special, **options}
    if "sequence_bias" in given:
        given["sequence_bias"] = [[a, float(b)] for a, b in given["sequence_bias"]]
    out = model.generate(input_ids=ids, attention_mask=mask, generation_config=GenerationConfig(**given), return_dict_in_generate=True, output_scores=True, use_cache=False)
    start = width if causal else 1
    record = {"architecture": "causal" if causal else "seq2seq", "rows": rows, "options": options, "sequences": out.sequences[:, start:].tolist()}
    if "sequences_scores" in out:
        record["sequences_scores"] = out.sequences_scores.tolist()
        record["beam_indices"] = out.beam_indices.tolist()
    record["steps"] = len(out.scores)
    if "length_penalty" not in options:
        last = out.scores[-1]
        record["last_scores"] = [[None if value == float("-inf") else round(value, 6) for value in row] for row in last.tolist()]
    return record


def all_options():
    for penalty, early, (eos, beams, count) in itertools.product([-1.0, 0.0, 1.0, 2.5], [False, True, "never"], [(EOS, 2, 1), (EOS, 3, 3), ([2, 5], 3, 2), ([2, 5, 9], 4, 4)]):
        yield {"num_beams": beams, "num_return_sequences": count, "length_penalty": penalty, "early_stopping": early, "eos_token_id": eos, "max_new_tokens": 9}
    for beams, early in itertools.product([2, 3], [False, "never"]):
        likely_ends = {"eos_token_id": [2, 5, 9], "sequence_bias": [[[2], 4.0], [[5], 4.0], [[9], 4.0]]}
        yield {**likely_ends, "num_beams": beams, "num_return_sequences": 2, "length_penalty": 3.0, "early_stopping": early, "max_new_tokens": 6}
    some = [{}, {"max_new_tokens": 12}, {"max_new_tokens": 1}, {"min_new_tokens": 6, "max_new_tokens": 9}, {"max_length": 9, "min_length": 7}, {"eos_token_id": [4, 7]}, {"pad_token_id": 0},
        {"repetition_penalty": 1.8, "max_new_tokens": 9}, {"no_repeat_ngram_size": 1, "max_new_tokens": 9}, {"no_repeat_ngram_size": 2, "max_new_tokens": 9},
        {"bad_words_ids": [[6], [3, 8], [11, 4]], "max_new_tokens": 9}, {"suppress_tokens": [2, 3, 4], "max_new_tokens": 9}, {"begin_suppress_tokens": [8, 9, 10], "max_new_tokens": 9},
        {"forced_eos_token_id": 7, "max_new_tokens": 6}, {"forced_bos_token_id": 6, "max_new_tokens": 6}, {"forced_bos_token_id": 6, "begin_suppress_tokens": [7, 8, 9, 10], "max_new_tokens": 6},
        {"sequence_bias": [[[8], -4.0], [[10, 3], 6.0]], "max_new_tokens": 9}, {"exponential_decay_length_penalty": [2, 1.5], "max_new_tokens": 12}, {"renormalize_logits": True, "repetition_penalty": 1.3}]
    for options in some:
        yield options
        yield {**options, "num_beams": 3, "num_return_sequences": 2}
        yield {**options, "num_beams": 5, "early_stopping": True, "length_penalty": -0.5}


def main():
    torch.manual_seed(0)
    prompts = [[[0, 7, 9]], [[3, 8, 5, 4], [6], [9, 4]]]
    records = [case(model, rows, options) for rows in prompts for options in all_options() for model in (Causal(Config()), Seq2Seq(Config(is_encoder_decoder=True)))]
    made_with = {"transformers": transformers.__version__, "torch": torch.__version__}
    print('{"made_with": ' + json.dumps(made_with) + ',\n"vocabulary": %d, "max_positions": %d,\n"special": %s,\n"cases": [' % (VOCABULARY, Config.max_position_embeddings, json.dumps({"pad": PAD, "bos": BOS, "eos": EOS})))
    print(",\n".join(json.dumps(record, separators=(",", ":")) for record in records) + "\n]}")


main()
