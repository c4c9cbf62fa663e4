import type { WeightChanges } from '@blip2/checkpoint';
import type { StoredTensor } from '@blip2/interfaces';
import { languageFamily } from '@blip2/language';
import { type Adapter, placeAdapters, weightChanges } from '@blip2/part';

import type { ModelConfig } from '../checkpoint/model-config.ts';
import { modelTensors } from '../checkpoint/model-tensors.ts';

const LANGUAGE = 'language_model';
/** Paths of parts that adapters for a part alone may belong to. */
const PATHS = [LANGUAGE, 'vision_model', 'qformer'] as const;

/** What adapters make of a whole model. */
export interface WholeAdapters {
  /** The tensors with those that adapters replace. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** The tensors of the base, with those that adapters separate from tied ones. */
  readonly base: ReadonlyMap<string, StoredTensor>;
  readonly changes: WeightChanges;
  /** First segments of the names of all changed tensors: the paths of the adapted parts. */
  readonly paths: ReadonlySet<string>;
}

/**
 * Finds the tensors of a whole model that adapters change, and checks their shapes. Nothing is read.
 * @throws Blip2Error `MISSING_WEIGHT` for a module that the base lacks; `SHAPE_MISMATCH`; `UNSUPPORTED_ARCHITECTURE`;
 * `INVALID_ARGUMENT` for adapters that cannot apply together.
 */
export function adaptWhole(
  tensors: ReadonlyMap<string, StoredTensor>,
  folder: string,
  config: ModelConfig,
  adapters: readonly Adapter[],
): WholeAdapters {
  const { tokenEmbeddings: embeddings, hasSharedEmbeddings: isShared = false } = languageFamily(
    config.textConfig.modelType,
  );
  const placed = placeAdapters(
    {
      label: 'model',
      store: { folder, tensors },
      prefix: '',
      path: '',
      paths: PATHS,
      tied: { embeddings, isShared },
      tiedPath: LANGUAGE,
      fixed: /^(?:qformer\.)?embeddings\./,
    },
    adapters,
  );
  const transposed = new Set(
    modelTensors(config).flatMap(({ name, transposed }) => (transposed ? [withoutBody(name)] : [])),
  );
  const names = [...placed.modules.keys(), ...placed.replaced];
  return {
    tensors: placed.store.tensors,
    base: placed.base.tensors,
    changes: weightChanges(placed, (name) => transposed.has(withoutBody(name))),
    paths: new Set(names.map((name) => name.split('.', 1)[0] ?? name)),
  };
}

/** Checkpoints of classes with and without a head differ in this segment. */
function withoutBody(name: string): string {
  return name.replace(`${LANGUAGE}.transformer.`, `${LANGUAGE}.`);
}
