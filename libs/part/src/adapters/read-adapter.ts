import { openAdapterWeights } from '@blip2/checkpoint';
import { Blip2Error, type StoredTensor } from '@blip2/interfaces';

import { type AdapterConfig, readAdapterConfig } from './adapter-config.ts';
import { type ModuleOptions, moduleOptions } from './module-options.ts';

/** The tensors of a LoRA for one module. */
export interface AdaptedModule {
  /** Name in the model that the adapter was trained for. */
  readonly module: string;
  readonly kind: 'linear' | 'embedding';
  /** `A`, `[rank, in]`. */
  readonly a: StoredTensor;
  /** `B`, `[out, rank]`. */
  readonly b: StoredTensor;
  /** `[out]`, of `lora_bias`. */
  readonly bias: StoredTensor | undefined;
  /** `[out]`, of DoRA. */
  readonly magnitude: StoredTensor | undefined;
  readonly rank: number;
  readonly scaling: number;
}

/** A tensor that replaces one of the base model. */
export interface ReplacedTensor {
  /** Name in the model that the adapter was trained for. */
  readonly name: string;
  readonly tensor: StoredTensor;
  /** Whether the module has a copy of its own (`modules_to_save`), which is not shared with a tied module. */
  readonly isCopy: boolean;
}

/** A LoRA in a folder. Its configuration and the header of its weights have been read. */
export interface Adapter {
  readonly folder: string;
  readonly config: AdapterConfig;
  readonly modules: readonly AdaptedModule[];
  readonly replaced: readonly ReplacedTensor[];
}

/** What PEFT puts in front of all names of a model. */
const PREFIX = 'base_model.model.';
/** The roles of tensors of a LoRA, by what follows the name of the module. */
const ROLES = {
  'lora_A.weight': 'a',
  'lora_B.weight': 'b',
  'lora_B.bias': 'bias',
  lora_embedding_A: 'embeddingA',
  lora_embedding_B: 'embeddingB',
  lora_magnitude_vector: 'magnitude',
  'lora_magnitude_vector.weight': 'magnitude',
} as const;
type Role = (typeof ROLES)[keyof typeof ROLES];
type Roles = Partial<Record<Role, StoredTensor>>;

const LORA_NAME = /^(?<module>.+?)\.(?<role>lora_.+)$/;
/** Segments that PEFT adds to the names of tensors that replace those of the base model. */
const WRAPPER = /\.(?:base_layer|modules_to_save)(?=\.)/;

/**
 * Reads a LoRA of PEFT: its configuration, and names, types and shapes of its weights.
 * @throws Blip2Error the codes of `readAdapterConfig` and `openAdapterWeights`; `INVALID_CHECKPOINT` for tensors that
 * no module uses, incomplete modules and a rank that is not the configured one.
 */
export async function readAdapter(folder: string): Promise<Adapter> {
  const config = await readAdapterConfig(folder);
  const { tensors } = await openAdapterWeights(folder);
  const options = moduleOptions(config, folder);
  const byModule = new Map<string, Roles>();
  const replaced: ReplacedTensor[] = [];
  for (const tensor of tensors.values()) {
    if (!tensor.name.startsWith(PREFIX))
      throw invalid(tensor, folder, 'the name of a tensor must start with base_model.model.');
    const name = tensor.name.slice(PREFIX.length);
    const { module, role } = LORA_NAME.exec(name)?.groups ?? {};
    if (module === undefined || role === undefined) {
      // With `bias: all`, PEFT also writes the biases that a copy replaces.
      if (name.includes('.original_module.')) continue;
      const plain = name.replace(WRAPPER, '');
      replaced.push({ name: plain, tensor, isCopy: options.isSaved(plain.slice(0, plain.lastIndexOf('.'))) });
      continue;
    }
    if (!Object.hasOwn(ROLES, role)) throw invalid(tensor, folder, 'no module uses a tensor');
    byModule.set(module, { ...byModule.get(module), [ROLES[role as keyof typeof ROLES]]: tensor });
  }
  const modules = [...byModule].map(([module, roles]) => adaptedModule(module, roles, config, options, folder));
  expectSaved(config, options, replaced, folder);
  if (modules.length + replaced.length === 0)
    throw new Blip2Error('INVALID_CHECKPOINT', 'The adapter has no tensors', {
      where: folder,
      fix: 'Save it again with save_pretrained of PEFT',
    });
  return { folder, config, modules, replaced };
}

function adaptedModule(
  module: string,
  roles: Roles,
  config: AdapterConfig,
  options: ModuleOptions,
  folder: string,
): AdaptedModule {
  const { a, b, embeddingA, embeddingB, bias, magnitude } = roles;
  const [any] = Object.values(roles);
  const refusal = options.refusal(module);
  if (any && refusal !== undefined) throw invalid(any, folder, `no module uses a tensor: ${refusal}`);
  const isEmbedding = embeddingA !== undefined || embeddingB !== undefined;
  const [first, second] = isEmbedding ? [embeddingA, embeddingB] : [a, b];
  if (!first || !second || (isEmbedding && (a || b || bias)))
    throw incomplete(module, folder, isEmbedding ? 'lora_embedding_A and lora_embedding_B' : 'lora_A and lora_B');
  if (config.useDora !== (magnitude !== undefined))
    throw incomplete(
      module,
      folder,
      config.useDora ? 'lora_magnitude_vector, as use_dora is true' : 'no lora_magnitude_vector, as use_dora is false',
    );
  const rank = options.rank(module);
  const found = first.shape[0] ?? 0;
  if (found !== rank || second.shape[1] !== rank)
    throw new Blip2Error('SHAPE_MISMATCH', `The rank of ${module} is not the configured one`, {
      expected: `${rank} (r and rank_pattern)`,
      got: `${first.name} [${first.shape.join(', ')}], ${second.name} [${second.shape.join(', ')}]`,
      where: folder,
      subject: module,
      fix: 'Use the adapter_config.json that was saved with these weights',
    });
  const kind = isEmbedding ? 'embedding' : 'linear';
  return { module, kind, a: first, b: second, bias, magnitude, rank, scaling: options.scaling(module) };
}

/** @throws Blip2Error if the file has no tensor of a module that `modules_to_save` names. */
function expectSaved(
  { modulesToSave }: AdapterConfig,
  options: ModuleOptions,
  replaced: readonly ReplacedTensor[],
  folder: string,
): void {
  if (modulesToSave.length === 0 || replaced.some(({ isCopy }) => isCopy)) return;
  // PEFT adds names of heads that the model need not have.
  const named = modulesToSave.filter((name) => !['classifier', 'score', 'qa_outputs'].includes(name));
  if (named.length > 0) throw incomplete(named.join(', '), folder, 'the weights that modules_to_save names');
}

function incomplete(module: string, folder: string, expected: string): Blip2Error {
  return new Blip2Error('INVALID_CHECKPOINT', `The adapter has not all tensors of ${module}`, {
    expected,
    where: folder,
    subject: module,
    fix: 'Use the adapter_config.json and the adapter_model.safetensors that were saved together',
  });
}

function invalid({ name }: StoredTensor, folder: string, rule: string): Blip2Error {
  return new Blip2Error('INVALID_CHECKPOINT', `The adapter is not valid: ${rule}`, {
    where: `${name} in ${folder}`,
    subject: name,
    fix: 'Use the adapter_config.json and the adapter_model.safetensors that were saved together',
  });
}
