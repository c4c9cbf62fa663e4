import { isJsonObject, type JsonObject } from '@blip2/files';

import { isTokenId } from './added-tokens.ts';
import { componentsOf, invalidTokenizer } from './components.ts';
import { MAX_TEMPLATE_TOKENS } from './limits.ts';

/** The special tokens before and after a text. */
export interface SpecialFrame {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/** No special tokens. */
export const NO_FRAME: SpecialFrame = { before: [], after: [] };

/** The post-processors of `tokenizer.json`, for single texts; text pairs are not supported. */
const POST_PROCESSORS: Readonly<Record<string, (config: JsonObject) => SpecialFrame>> = {
  TemplateProcessing: templateFrame,
  BertProcessing: ({ cls, sep }) => ({ before: [pairedId(cls)], after: [pairedId(sep)] }),
  RobertaProcessing: ({ cls, sep }) => ({ before: [pairedId(cls)], after: [pairedId(sep)] }),
  ByteLevel: () => NO_FRAME,
};

/**
 * Reads the special tokens that a `tokenizer.json` adds; several post-processors nest, the first innermost.
 * @throws Blip2Error `INVALID_TOKENIZER` for unknown post-processors and invalid templates.
 */
export function readSpecialFrame(json: unknown): SpecialFrame {
  const steps = componentsOf(json, 'post_processor', 'processors', new Set(Object.keys(POST_PROCESSORS)));
  const frame = steps.reduce<SpecialFrame>((inner, config) => {
    const { before, after } = POST_PROCESSORS[String(config['type'])]?.(config) ?? NO_FRAME;
    return { before: [...before, ...inner.before], after: [...inner.after, ...after] };
  }, NO_FRAME);
  const count = frame.before.length + frame.after.length;
  if (count > MAX_TEMPLATE_TOKENS)
    throw invalidTokenizer('The post_processor adds too many tokens', {
      expected: `at most ${MAX_TEMPLATE_TOKENS}`,
      got: String(count),
    });
  return frame;
}

function templateFrame({ single, special_tokens: tokens }: JsonObject): SpecialFrame {
  if (!Array.isArray(single) || single.length > MAX_TEMPLATE_TOKENS)
    throw invalidTokenizer('The template has no list of pieces for a single text');
  const pieces = single.map((piece: unknown) =>
    isJsonObject(piece) && isJsonObject(piece['SpecialToken'])
      ? templateIds(tokens, piece['SpecialToken']['id'])
      : undefined,
  );
  const sequence = pieces.indexOf(undefined);
  if (sequence < 0 || pieces.lastIndexOf(undefined) !== sequence)
    throw invalidTokenizer('The template must contain the text exactly once');
  return {
    before: pieces.slice(0, sequence).flatMap((ids) => ids ?? []),
    after: pieces.slice(sequence + 1).flatMap((ids) => ids ?? []),
  };
}

function templateIds(tokens: unknown, name: unknown): readonly number[] {
  const token = isJsonObject(tokens) && typeof name === 'string' ? tokens[name] : undefined;
  const ids = isJsonObject(token) ? token['ids'] : undefined;
  if (Array.isArray(ids) && ids.length <= MAX_TEMPLATE_TOKENS && ids.every(isTokenId)) return ids;
  throw invalidTokenizer('The template contains a token without ids', { got: String(name) });
}

/** Reads the id of a pair `[token, id]`, as in the post-processors of BERT and RoBERTa. */
function pairedId(pair: unknown): number {
  const id: unknown = Array.isArray(pair) ? pair[1] : undefined;
  if (isTokenId(id)) return id;
  throw invalidTokenizer('The post_processor contains a token without an id', { got: JSON.stringify(pair) ?? 'none' });
}
