import { isJsonObject, type JsonObject } from '@blip2/files';

import { isTokenId } from './added-tokens.ts';
import { componentsOf, invalidTokenizer } from './components.ts';
import { MAX_TEMPLATE_TOKENS } from './limits.ts';

/** The special tokens that stand around a single text. */
export interface SpecialFrame {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/** Nothing around the text. */
export const NO_FRAME: SpecialFrame = { before: [], after: [] };

/** What each post-processor of `tokenizer.json` puts around a text; pairs of texts are not offered. */
const POST_PROCESSORS: Readonly<Record<string, (config: JsonObject) => SpecialFrame>> = {
  TemplateProcessing: templateFrame,
  BertProcessing: ({ cls, sep }) => ({ before: [pairedId(cls)], after: [pairedId(sep)] }),
  RobertaProcessing: ({ cls, sep }) => ({ before: [pairedId(cls)], after: [pairedId(sep)] }),
  ByteLevel: () => NO_FRAME,
};

/** The frame of a `tokenizer.json`; several post-processors nest, the first one innermost. */
export function readSpecialFrame(json: unknown): SpecialFrame {
  const steps = componentsOf(json, 'post_processor', 'processors', new Set(Object.keys(POST_PROCESSORS)));
  return steps.reduce<SpecialFrame>((inner, config) => {
    const { before, after } = POST_PROCESSORS[String(config['type'])]?.(config) ?? NO_FRAME;
    return { before: [...before, ...inner.before], after: [...inner.after, ...after] };
  }, NO_FRAME);
}

function templateFrame({ single, special_tokens: tokens }: JsonObject): SpecialFrame {
  if (!Array.isArray(single) || single.length > MAX_TEMPLATE_TOKENS)
    throw invalidTokenizer('The template has no list of pieces for one text');
  const pieces = single.map((piece: unknown) =>
    isJsonObject(piece) && isJsonObject(piece['SpecialToken'])
      ? templateIds(tokens, piece['SpecialToken']['id'])
      : undefined,
  );
  const sequence = pieces.indexOf(undefined);
  if (sequence < 0 || pieces.lastIndexOf(undefined) !== sequence)
    throw invalidTokenizer('The template must hold the text exactly once');
  return {
    before: pieces.slice(0, sequence).flatMap((ids) => ids ?? []),
    after: pieces.slice(sequence + 1).flatMap((ids) => ids ?? []),
  };
}

function templateIds(tokens: unknown, name: unknown): readonly number[] {
  const token = isJsonObject(tokens) && typeof name === 'string' ? tokens[name] : undefined;
  const ids = isJsonObject(token) ? token['ids'] : undefined;
  if (Array.isArray(ids) && ids.length <= MAX_TEMPLATE_TOKENS && ids.every(isTokenId)) return ids;
  throw invalidTokenizer('The template names a token without ids', { got: String(name) });
}

/** BERT's and RoBERTa's post-processors write `[token, id]`. */
function pairedId(pair: unknown): number {
  const id: unknown = Array.isArray(pair) ? pair[1] : undefined;
  if (isTokenId(id)) return id;
  throw invalidTokenizer('The post_processor names a token without an id', { got: JSON.stringify(pair) ?? 'none' });
}
