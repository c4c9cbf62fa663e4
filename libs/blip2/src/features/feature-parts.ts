import { Blip2Error, mustBe, type Tensor } from '@blip2/interfaces';

import type { EmbedInputs, EmbedPart } from '../retrieval/embed-inputs.ts';
import type { RetrievalTaskOptions } from '../retrieval/encode-retrieval-inputs.ts';

/**
 * A component with features. In addition to those of retrieval checkpoints (`EmbedPart`): `projection`, the input of
 * the language model `[queries, hidden]`, and `language`, the hidden states of the language model `[positions,
 * hidden]`, of the encoder if it has one.
 */
export type FeaturePart = EmbedPart | 'projection' | 'language';

/** What a checkpoint contains. */
export type FeatureKind = 'generation' | 'instruct' | 'retrieval' | 'vision' | 'language';

/** Which features to compute. */
export interface FeatureOptions extends RetrievalTaskOptions {
  /** Default: the first that the checkpoint has for the inputs. */
  readonly part?: FeaturePart;
  /**
   * The index of the part's hidden states, as in HF's `hidden_states`: 0 are the embeddings, `i` the states after layer
   * `i`, negative numbers count from the last layer. Default: the last hidden state, after any final norm.
   */
  readonly layer?: number;
}

/** Images, texts, or images with a text each. */
export type InputsKind = 'images' | 'text' | 'both';

/** The parts with features of each kind of inputs, the default first. */
export type FeatureParts = Readonly<Record<InputsKind, readonly FeaturePart[]>>;

const NONE: readonly FeaturePart[] = [];
const PARTS: Readonly<Record<FeatureKind, FeatureParts>> = {
  generation: {
    images: ['qformer', 'vision', 'projection', 'language'],
    text: ['language'],
    both: ['language'],
  },
  // Queries of InstructBLIP depend on an instruction.
  instruct: { images: ['vision'], text: ['language'], both: ['qformer', 'projection', 'language'] },
  retrieval: { images: ['image-proj', 'qformer', 'vision'], text: ['text-proj', 'text'], both: ['multimodal'] },
  vision: { images: ['vision'], text: NONE, both: NONE },
  language: { images: NONE, text: ['language'], both: NONE },
};

/** The parts with features in a checkpoint of a kind. */
export function featureParts(kind: FeatureKind): FeatureParts {
  return PARTS[kind];
}

/** Results of linear layers, which have no layers. */
const LAYERLESS: readonly FeaturePart[] = ['projection', 'image-proj', 'text-proj'];

/**
 * The part whose features are computed.
 * @throws Blip2Error `INVALID_ARGUMENT` if the checkpoint has no such features, or the part has no layers.
 */
export function choosePart(kind: FeatureKind, { images, text }: EmbedInputs, options: FeatureOptions): FeaturePart {
  const inputs: InputsKind = images && text ? 'both' : images ? 'images' : 'text';
  const known = PARTS[kind][inputs];
  const part = options.part ?? known[0];
  if (part === undefined)
    throw new Blip2Error('INVALID_ARGUMENT', `The checkpoint has no features of ${NAMES[inputs]}`, {
      argument: 'inputs',
      expected: expectedInputs(kind),
    });
  if (!known.includes(part)) throw mustBe('part', `one of ${known.join(', ')} for ${NAMES[inputs]}`, part);
  if (options.layer !== undefined && LAYERLESS.includes(part))
    throw new Blip2Error('INVALID_ARGUMENT', `layer cannot be used with the part ${part}, which has no layers`, {
      argument: 'layer',
    });
  return part;
}

const NAMES: Readonly<Record<InputsKind, string>> = { images: 'images', text: 'texts', both: 'images with texts' };

function expectedInputs(kind: FeatureKind): string {
  const inputs = (['images', 'text', 'both'] as const).filter((each) => PARTS[kind][each].length > 0);
  return inputs.map((each) => NAMES[each]).join(', or ');
}

/**
 * The hidden states with an index.
 * @throws Blip2Error `INVALID_ARGUMENT` if there are none.
 */
export function atLayer<T extends Tensor<'float32'>>(states: readonly T[] | undefined, layer: number): T {
  const count = states?.length ?? 0;
  const found = Number.isInteger(layer) && layer >= -count ? states?.at(layer) : undefined;
  if (found) return found;
  throw mustBe('layer', `an integer from ${-count} to ${count - 1}`, layer);
}
