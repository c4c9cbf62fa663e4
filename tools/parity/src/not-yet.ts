import type { CheckpointFamily } from './checkpoint-family.ts';
import type { GoldenEntry } from './golden-case.ts';

/** Kinds that need no model at all. */
const MODEL_FREE_KINDS: ReadonlySet<string> = new Set(['decode_image', 'image_processor', 'tokenizer_encode', 'tokenizer_decode', 'logits_processor', 'logits_pipeline']);

/** Why an entry cannot run yet, or nothing. The rules only ever get fewer. */
export function reasonToSkip(entry: GoldenEntry, family: CheckpointFamily): string | undefined {
  if (MODEL_FREE_KINDS.has(entry.kind)) return undefined;
  if (family.modelType === 'instructblip') return 'InstructBLIP comes later';
  return undefined;
}
