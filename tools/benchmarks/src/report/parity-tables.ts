import { readFileSync } from 'node:fs';

import { repositoryPath } from '../repository.ts';
import { markdownTable } from './markdown.ts';

const CASES_FOLDER = 'tools/parity/cases';
/** Absolute tolerances from here on are 8-bit pixel values of lossy images, not floats. */
const PIXEL_TOLERANCE = 1;

/** `tools/parity/results/summary.json`: the totals of a parity run. */
interface ParitySummary {
  readonly passed: number;
  readonly cases: readonly { readonly case: string; readonly entries: number; readonly elements: number }[];
}

/** Golden cases in the order of the table: family for the README, name, description. */
const CASES: readonly (readonly [family: string, name: string, description: string])[] = [
  ['BLIP-2 with OPT', 'opt', 'BLIP-2 with OPT, current repository layout'],
  ['BLIP-2 with OPT', 'opt-legacy-fp16', 'OPT, legacy layout (no `<image>` token), float16'],
  ['BLIP-2 with OPT', 'opt-7-queries-frequency-1', 'OPT without biases, 7 queries, bfloat16'],
  ['BLIP-2 with OPT', 'opt-one-query-frequency-3', 'OPT, one query, three shards'],
  ['BLIP-2 with OPT', 'opt-post-norm-projections', 'OPT with post-norm layers and narrow embeddings'],
  ['BLIP-2 with T5', 't5', 'BLIP-2 with Flan-T5'],
  ['BLIP-2 with T5', 't5-v1.0-relu', 'T5 1.0, tied head, ReLU'],
  ['BLIP-2 with T5', 't5-v1.1-bf16-3-shards', 'T5 1.1, bfloat16, three shards'],
  ['BLIP-2 with other language models', 'blip2-qwen2', 'BLIP-2 with Qwen2, bfloat16'],
  ['BLIP-2 with other language models', 'blip2-gpt2', 'BLIP-2 with GPT-2, bfloat16'],
  ['Image-text retrieval', 'itm', 'image-text retrieval'],
  ['Image-text retrieval', 'itm-7-queries-frequency-1', 'retrieval, 7 queries, float16, three shards'],
  ['InstructBLIP', 'instructblip-t5', 'InstructBLIP with Flan-T5'],
  ['InstructBLIP', 'instructblip-llama', 'InstructBLIP with Llama'],
  ['Single parts', 'qformer-relative-key', 'relative positions and head masks in the Q-Former'],
  ['Single parts', 'clip', 'CLIP vision encoder'],
  ['Single parts', 'siglip', 'SigLIP vision encoder'],
  ['Single parts', 'siglip2-no-head', 'SigLIP 2 vision encoder without its pooler'],
  ['Single parts', 'dinov2', 'DINOv2 with layer scales'],
  ['Single parts', 'dinov2-giant', 'DINOv2 classifier with a gated feed-forward'],
  ['Single parts', 'vit', 'ViT with a pooler'],
  ['Single parts', 'vit-classifier', 'ViT classifier'],
  ['Single parts', 'eva', 'EVA-CLIP under the names of timm'],
  ['Single parts', 'eva-mean', 'EVA under the names of open_clip, with layer scales and a mean of the patches'],
  ['Single parts', 'llama', 'Llama with grouped keys and values, biases and a tied head'],
  ['Single parts', 'qwen2', 'Qwen2 with windows and a tied head'],
  ['Single parts', 'qwen3', 'Qwen3 with norms of wide heads'],
  ['Single parts', 'mistral', 'Mistral with windows'],
  ['Single parts', 'phi3', 'Phi-3 with partial rotation and longrope'],
  ['Single parts', 'gemma3-text', 'Gemma 3 with windows, two rotary bases and bounded logits'],
  ['Single parts', 'gpt2', 'GPT-2 with transposed matrices'],
  ['Single parts', 'mt5', 'mT5 with a head of its own'],
  ['Single parts', 'umt5', 'UMT5 with a position bias in every layer'],
  ['Single parts', 'logits', 'logits processors and warpers'],
];

interface CaseRow {
  readonly entries: number;
  readonly elements: number;
  /** Smallest and largest absolute tolerance of floats. */
  readonly tolerances: readonly [least: number, most: number];
}

/** One row per golden case, for `docs/benchmarks.md`. */
export function parityMarkdown(): string {
  const rows = CASES.map(([, name, description]) => {
    const { entries, elements, tolerances } = caseRow(name);
    return [`\`${name}\``, description, String(entries), grouped(elements), toleranceText(tolerances)];
  });
  return [
    markdownTable(['case', 'model', '>entries', '>elements compared', 'absolute tolerance'], rows),
    `All ${parityPassed()} entries pass.`,
  ].join('\n\n');
}

/** One row per family, for the README. */
export function smallParityMarkdown(): string {
  const rows = [...new Set(CASES.map(([family]) => family))].map((family) => {
    const own = CASES.filter(([other]) => other === family).map(([, name]) => caseRow(name));
    const tolerances = own.flatMap((row) => row.tolerances);
    return [
      family,
      String(own.length),
      String(sum(own.map(({ entries }) => entries))),
      grouped(sum(own.map(({ elements }) => elements))),
      toleranceText([Math.min(...tolerances), Math.max(...tolerances)]),
    ];
  });
  return [
    markdownTable(['model', '>cases', '>entries', '>elements compared', 'absolute tolerance'], rows),
    `All ${parityPassed()} entries pass.`,
  ].join('\n\n');
}

/** Number of entries that pass, as recorded in the summary. */
export function parityPassed(): number {
  return readSummary().passed;
}

function caseRow(name: string): CaseRow {
  const golden = JSON.parse(readFileSync(repositoryPath(`${CASES_FOLDER}/${name}/golden.json`), 'utf8')) as {
    readonly entries: readonly { readonly tolerance: { readonly atol: number } }[];
  };
  const tolerances = golden.entries
    .map(({ tolerance }) => tolerance.atol)
    .filter((atol) => atol > 0 && atol < PIXEL_TOLERANCE);
  return {
    entries: golden.entries.length,
    elements: readSummary().cases.find((each) => each.case === name)?.elements ?? NaN,
    tolerances: [Math.min(...tolerances), Math.max(...tolerances)],
  };
}

function readSummary(): ParitySummary {
  return JSON.parse(readFileSync(repositoryPath('tools/parity/results/summary.json'), 'utf8')) as ParitySummary;
}

/** `1e-5` or `1e-5 to 3.9e-4`. */
function toleranceText([least, most]: readonly [number, number]): string {
  const shown = [...new Set([least, most])].map((value) => value.toExponential());
  return shown.join(' to ');
}

function grouped(value: number): string {
  return value.toLocaleString('en-US');
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
