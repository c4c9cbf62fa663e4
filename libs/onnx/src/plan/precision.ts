import { defined, mustBe, type Precision, type PrecisionChoice } from '@blip2/interfaces';

const PRECISIONS: Readonly<Record<PrecisionChoice, true>> = {
  fp32: true,
  int8: true,
  q8: true,
  q4: true,
  fast: true,
  small: true,
};

const HALF_PRECISION =
  'float16 and bfloat16 checkpoints load as they are, but are not faster on a CPU: use fast, or fp32 for exact results';

/** Names of precisions in other libraries, with advice on the one to use here. */
const ADVICE: Readonly<Record<string, string>> = {
  float32: 'Use fp32',
  fp16: HALF_PRECISION,
  float16: HALF_PRECISION,
  bf16: HALF_PRECISION,
  bfloat16: HALF_PRECISION,
  '8bit': 'Use int8, or q8 to quantize weights only',
  '4bit': 'Use q4',
  int4: 'Use q4',
  uint8: 'Use int8',
};

/**
 * Returns a precision or preset by name. `argument` is its name in errors.
 *
 * @throws Blip2Error `UNSUPPORTED_DTYPE` for other names, with the one to use instead.
 */
export function expectPrecision(name: string, argument = 'dtype'): PrecisionChoice {
  if (isPrecision(name)) return name;
  const names = Object.keys(PRECISIONS).join(', ');
  const fix = Object.hasOwn(ADVICE, name) ? ADVICE[name] : undefined;
  throw mustBe(argument, `one of ${names}`, name, { code: 'UNSUPPORTED_DTYPE', ...defined({ fix }) });
}

function isPrecision(name: string): name is PrecisionChoice {
  return Object.hasOwn(PRECISIONS, name);
}

/** Precisions of a part's linear layers. */
export interface PartPrecisions {
  /** For many rows at once: images, prompts and batches. */
  readonly prefill: Precision;
  /** For few rows: one token at a time. Parts that do not decode have no use for it. */
  readonly decode: Precision;
}

/** The precisions that a precision or preset stands for. */
export function partPrecisions(choice: PrecisionChoice = 'fp32'): PartPrecisions {
  const precision = expectPrecision(choice);
  if (precision === 'fast') return { prefill: 'int8', decode: 'q4' };
  if (precision === 'small') return { prefill: 'q4', decode: 'q4' };
  return { prefill: precision, decode: precision };
}
