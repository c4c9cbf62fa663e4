import { Blip2Error, type Precision, type PrecisionChoice } from '@blip2/interfaces';

const PRECISIONS: Readonly<Record<PrecisionChoice, true>> = {
  fp32: true,
  int8: true,
  q8: true,
  q4: true,
  fast: true,
  small: true,
};

/** What people ask for elsewhere, and what to use here. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  float32: 'Use fp32',
  fp16: 'Half precision brings nothing on a CPU: use fast, or fp32 for the numbers of the checkpoint; float16 checkpoints load as they are',
  float16:
    'Half precision brings nothing on a CPU: use fast, or fp32 for the numbers of the checkpoint; float16 checkpoints load as they are',
  bf16: 'bfloat16 brings nothing on a CPU: use fast, or fp32 for the numbers of the checkpoint; bfloat16 checkpoints load as they are',
  bfloat16:
    'bfloat16 brings nothing on a CPU: use fast, or fp32 for the numbers of the checkpoint; bfloat16 checkpoints load as they are',
  '8bit': 'Use int8, or q8 for weights alone in 8 bits',
  '4bit': 'Use q4',
  int4: 'Use q4',
  uint8: 'Use int8',
};

/** A precision or preset by its name. @throws Blip2Error `UNSUPPORTED_DTYPE`, which says what to use instead. */
export function expectPrecision(name: string, where = 'dtype'): PrecisionChoice {
  if (isPrecision(name)) return name;
  const names = Object.keys(PRECISIONS).join(', ');
  throw new Blip2Error('UNSUPPORTED_DTYPE', 'This precision is not offered', {
    where,
    argument: 'dtype',
    expected: names,
    got: String(name),
    fix: (Object.hasOwn(ELSEWHERE, name) && ELSEWHERE[name]) || `Use one of ${names}`,
  });
}

function isPrecision(name: string): name is PrecisionChoice {
  return Object.hasOwn(PRECISIONS, name);
}

/**
 * What a part holds its linear layers in: for products with many rows at once (images, prompts, batches), and for few
 * (one token at a time).
 */
export interface PartPrecisions {
  readonly many: Precision;
  readonly few: Precision;
}

/** What a choice means for a part that decodes. One that does not has products of many rows only. */
export function partPrecisions(choice: PrecisionChoice = 'fp32'): PartPrecisions {
  const precision = expectPrecision(choice);
  if (precision === 'fast') return { many: 'int8', few: 'q4' };
  if (precision === 'small') return { many: 'q4', few: 'q4' };
  return { many: precision, few: precision };
}
