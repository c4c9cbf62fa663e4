import {
  type AttentionMask,
  Blip2Error,
  defined,
  expectFinite,
  expectKnownOptions,
  f32,
  i64,
  type LanguageModel,
  type Session,
  type TokenEmbeddings,
  type TokenIds,
} from '@blip2/interfaces';
import {
  type DisposablePart,
  expectFileValue,
  expectFixedAxis,
  expectKnownInputs,
  positiveOption,
  readOnnxFile,
} from '@blip2/part';
import { type LazySessions, lazySessions, type PartOptions, rowsTensor } from '@blip2/runtime';

import { startCausalDecoding } from '../decoding/causal-decoding.ts';
import { expectPrompt } from '../decoding/expect-prompt.ts';
import { expectPromptInputs, expectTokens } from '../language-inputs.ts';
import { type CacheOptions, type DecoderLayout, decoderLayout } from './decoder-layout.ts';
import { type EmbedTokens, type FileEmbedding, openEmbedding } from './file-embeddings.ts';
import { type LanguageFileOptions, languageSettings } from './file-settings.ts';
import { expectDims, runDecoder } from './run-decoder.ts';
import { startFileDecoding } from './seq2seq-file.ts';

export interface OnnxLanguageModelOptions
  extends Omit<PartOptions, 'dtype' | 'rows'>, LanguageFileOptions, CacheOptions {
  /** The token embedding. Default: `embed_tokens.onnx` next to the decoder. */
  readonly embedTokens?: EmbedTokens;
  /** The encoder of an encoder-decoder model: `encoder_model.onnx`. Default: none. */
  readonly encoder?: string;
  /** Length of the logits. Default: that in the file; if it states none, that of the logits of one position. */
  readonly vocabularySize?: number;
  /** Width of the embeddings. Default: that in the file. */
  readonly embeddingSize?: number;
}

/** A language model in files. */
export interface OnnxLanguageModel extends LanguageModel, DisposablePart {
  prepare(): Promise<void>;
}

const OPTIONS: Readonly<Record<keyof OnnxLanguageModelOptions, true>> = {
  embedTokens: true,
  encoder: true,
  vocabularySize: true,
  embeddingSize: true,
  keyValueHeads: true,
  headSize: true,
  specialTokens: true,
  maxPositions: true,
  createSession: true,
  threads: true,
  repeated: true,
  device: true,
};
const LABEL = 'language model';

/**
 * A language model in `.onnx` files as optimum and transformers.js write them for models with images:
 * `inputs_embeds`, `attention_mask`, optionally `position_ids`, and `past_key_values.N.key`, `.value` → `logits` and
 * `present.N.key`, `.value`. With `encoder`, an encoder-decoder model: `encoder_hidden_states`,
 * `encoder_attention_mask`, `past_key_values.N.decoder.key`, `past_key_values.N.encoder.key`, ….
 * @throws Blip2Error `UNSUPPORTED_ARCHITECTURE` for inputs that cannot be given or missing outputs, with their names;
 * `INVALID_ARGUMENT` for a size that neither options nor file state; `MISSING_FILE`; the codes of `readOnnxFile`.
 */
export async function onnxLanguageModel(
  file: string,
  options: OnnxLanguageModelOptions = {},
): Promise<OnnxLanguageModel> {
  expectKnownOptions('onnxLanguageModel', options, Object.keys(OPTIONS));
  const { threads, device, createSession } = options;
  const onnx = await readOnnxFile(file);
  const encoder = options.encoder === undefined ? undefined : await readOnnxFile(options.encoder);
  const layout = decoderLayout(onnx, encoder !== undefined, {
    keyValueHeads: positiveOption('keyValueHeads', options.keyValueHeads),
    headSize: positiveOption('headSize', options.headSize),
  });
  if (encoder) {
    expectKnownInputs(encoder, (name) => ENCODER_INPUTS.includes(name), ENCODER_INPUTS.join(', '));
    expectFileValue(encoder, 'inputs', 'inputs_embeds', f32('batch', 'source', 'hidden'));
    expectFileValue(encoder, 'inputs', 'attention_mask', i64('batch', 'source'));
    expectFileValue(encoder, 'outputs', 'last_hidden_state', f32('batch', 'source', 'hidden'));
  }
  const embedding = await openEmbedding(options.embedTokens, file);
  const settings = await languageSettings(onnx, options, encoder !== undefined);
  const embeddingSize = embeddingWidth(layout, embedding, options.embeddingSize);
  const given = positiveOption('vocabularySize', options.vocabularySize);
  const stated = typeof layout.logits.axes[2] === 'number' || given !== undefined;
  let vocabularySize = stated ? expectFixedAxis(file, layout.logits, 2, 'vocabularySize', given) : Infinity;
  const sessions = lazySessions(LABEL, defined({ threads, device, createSession }));
  const embed = (ids: readonly TokenIds[]): Promise<TokenEmbeddings> =>
    embedIds(sessions, embedding, ids, embedding.vocabularySize ?? vocabularySize, embeddingSize);
  const openDecoder = (): Promise<Session> => sessions.get('decoder', () => onnx.model);
  const stepper = { cacheSize: layout.cache, maxPositions: settings.maxPositions, embed };
  const encode = async (inputsEmbeds: TokenEmbeddings, mask: AttentionMask): Promise<TokenEmbeddings> => {
    const session = await sessions.get('encoder', () => encoder?.model ?? onnx.model);
    const feeds = { inputs_embeds: inputsEmbeds, attention_mask: rowsTensor(mask, 'attentionMask') };
    const { last_hidden_state: states } = await session.run(feeds);
    const [rows, source] = inputsEmbeds.dims;
    return expectDims(options.encoder ?? file, 'last_hidden_state', states, [
      rows,
      source,
      states?.dims[2] ?? 0,
    ]) as TokenEmbeddings;
  };
  const dispose = async (): Promise<void> => {
    await sessions[Symbol.asyncDispose]();
  };
  const start: LanguageModel['start'] = async (prompt) => {
    const { inputsEmbeds, attentionMask, decoderInputIds } = expectPromptInputs(prompt);
    expectWidth(inputsEmbeds, embeddingSize);
    if (!encoder) {
      if (decoderInputIds) throw noDecoderIds();
      const step = async (each: Parameters<typeof runDecoder>[2]): ReturnType<typeof runDecoder> =>
        runDecoder(layout, await openDecoder(), each);
      return startCausalDecoding({ ...stepper, step }, inputsEmbeds, attentionMask);
    }
    expectPrompt(attentionMask, inputsEmbeds.dims, settings.maxPositions);
    const first = decoderInputIds ?? attentionMask.map(() => [startToken(settings.specialTokens)]);
    const states = await encode(inputsEmbeds, attentionMask);
    return startFileDecoding({ layout, stepper, openDecoder }, states, attentionMask, first);
  };
  if (!stated)
    vocabularySize = await logitsWidth(start, embeddingSize, encoder !== undefined).catch(async (error: unknown) => {
      await dispose();
      throw error;
    });
  return {
    architecture: encoder ? 'seq2seq' : 'causal',
    embeddingSize,
    vocabularySize,
    ...settings,
    embed,
    start,
    async prepare() {
      await sessions.get('embedding', () => embedding.model);
      if (encoder) await sessions.get('encoder', () => encoder.model);
      await openDecoder();
    },
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}

/** Length of the logits of one position. */
async function logitsWidth(start: LanguageModel['start'], embeddingSize: number, isSeq2Seq: boolean): Promise<number> {
  await using decoding = await start({
    inputsEmbeds: { type: 'float32', dims: [1, 1, embeddingSize], data: new Float32Array(embeddingSize) },
    attentionMask: [[1]],
    ...(isSeq2Seq && { decoderInputIds: [[0]] }),
  });
  return decoding.logits.dims[2];
}

const ENCODER_INPUTS: readonly string[] = ['inputs_embeds', 'attention_mask'];

function embeddingWidth(
  { onnx: { file }, embeds }: DecoderLayout,
  embedding: FileEmbedding,
  option: number | undefined,
): number {
  const known = positiveOption('embeddingSize', option) ?? embedding.embeddingSize;
  const width = expectFixedAxis(file, embeds, 2, 'embeddingSize', known);
  if (embedding.embeddingSize === undefined || embedding.embeddingSize === width) return width;
  throw new Blip2Error('SHAPE_MISMATCH', 'The token embedding must have the width of the decoder', {
    argument: 'embedTokens',
    where: file,
    expected: String(width),
    got: String(embedding.embeddingSize),
  });
}

async function embedIds(
  sessions: LazySessions,
  { model, input, output }: FileEmbedding,
  ids: readonly TokenIds[],
  vocabularySize: number,
  embeddingSize: number,
): Promise<TokenEmbeddings> {
  expectTokens(ids, vocabularySize);
  const rows = rowsTensor(ids, 'inputIds');
  const session: Session = await sessions.get('embedding', () => model);
  const outputs = await session.run({ [input]: rows });
  const embeds = expectDims(model.name, output, outputs[output], [...rows.dims, embeddingSize]);
  return expectFinite(LABEL, embeds as TokenEmbeddings);
}

function expectWidth({ dims: [, , width] }: TokenEmbeddings, embeddingSize: number): void {
  if (width === embeddingSize) return;
  throw new Blip2Error('SHAPE_MISMATCH', 'inputsEmbeds must have the width of the language model', {
    argument: 'inputsEmbeds',
    expected: String(embeddingSize),
    got: String(width),
  });
}

function noDecoderIds(): Blip2Error {
  return new Blip2Error('INVALID_ARGUMENT', 'A decoder-only model has no decoderInputIds', {
    argument: 'decoderInputIds',
    expected: 'nothing',
    got: 'ids',
  });
}

function startToken({ decoderStartTokenId }: LanguageModel['specialTokens']): number {
  if (decoderStartTokenId !== undefined) return decoderStartTokenId;
  throw new Blip2Error('INVALID_ARGUMENT', 'The first token of the decoder is not known', {
    argument: 'specialTokens.decoderStartTokenId',
    expected: 'a token id',
    got: 'nothing',
    fix: 'Pass specialTokens, or decoderInputIds',
  });
}
