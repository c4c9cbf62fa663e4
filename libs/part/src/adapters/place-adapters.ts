import { join } from 'node:path';

import type { LowRankChange, WeightChange } from '@blip2/checkpoint';
import { commonFolder } from '@blip2/files';
import { Blip2Error, type StoredTensor, type WeightStore } from '@blip2/interfaces';
import { ADDED_BIAS } from '@blip2/onnx';

import { type BaseModules, nameInBase, partOfName } from './base-names.ts';
import type { AdaptedModule, Adapter } from './read-adapter.ts';

/** The token embeddings of a language model, which share their table with each other or with the head. */
export interface TiedEmbeddings {
  /** Names of modules below the path of the part that hold the token embedding. */
  readonly embeddings: readonly string[];
  /** Whether several of these modules use the same table. */
  readonly isShared?: boolean;
}

/** The head that may be tied to the token embedding. */
const HEAD = 'lm_head';

/** The part that adapters are applied to. */
export interface AdaptedPart {
  /** What error messages call the part. */
  readonly label: string;
  readonly store: WeightStore;
  /** `''` if the checkpoint holds this part alone. */
  readonly prefix: string;
  /** Path of the part in a whole model; `''` for a whole model. */
  readonly path: string;
  /** Paths of parts that an adapter for a part alone may belong to. Default: that of the part. */
  readonly paths?: readonly string[];
  readonly tied?: TiedEmbeddings;
  /** Path in the checkpoint of the part with tied embeddings. Default: that of the part. */
  readonly tiedPath?: string;
  /** Names of tensors and modules that belong to the part, although they are not below its path. */
  readonly siblings?: readonly string[];
  /** Modules with weights that cannot be changed, only replaced. */
  readonly fixed?: RegExp;
}

/** What adapters make of the weights of a part. */
export interface PlacedAdapters {
  /** The weights of the base; tied weights of which only one is adapted are listed under both names. */
  readonly base: WeightStore;
  /** The same with the tensors that adapters replace. */
  readonly store: WeightStore;
  /** Names of the replaced tensors. */
  readonly replaced: ReadonlySet<string>;
  /** The modules with a low-rank change, by the name of their weight. */
  readonly modules: ReadonlyMap<string, readonly AdaptedModule[]>;
}

/**
 * Finds the tensors of a part that adapters change. All adapters apply together.
 * @throws Blip2Error `MISSING_WEIGHT` for a module that the base model lacks; `SHAPE_MISMATCH` for an adapter of another
 * base model; `INVALID_ARGUMENT` for adapters that replace the same tensor, or have nothing for this part;
 * `UNSUPPORTED_ARCHITECTURE` for embeddings that several modules share.
 */
export function placeAdapters(part: AdaptedPart, adapters: readonly Adapter[]): PlacedAdapters {
  const { store, prefix, path, label, paths = prefix === '' ? [] : [path], siblings = [], fixed } = part;
  const start = prefix === '' ? '' : `${prefix}.`;
  const ties = tiesOf(part, part.tiedPath === undefined ? start : `${part.tiedPath}.`);
  const base: BaseModules = {
    has: (name) =>
      ['', '.weight'].some((end) => store.tensors.has(name + end)) ||
      ties.standIn(name.replace(/\.weight$/, '')) !== undefined,
    paths,
    ...(prefix === '' && path !== '' && { root: path }),
  };
  /** The name in the checkpoint; undefined for a module of another part. */
  const place = (name: string, adapter: Adapter): string | undefined => {
    const found = nameInBase(name, base);
    if (found === undefined) {
      const other = partOfName(name);
      if (prefix === '' && path !== '' && other !== undefined && other !== path) return undefined;
      throw missingModule(name, adapter, store.folder);
    }
    const isSibling = siblings.some((sibling) => found === sibling || found.startsWith(`${sibling}.`));
    if (!`${found}.`.startsWith(start) && !isSibling) return undefined;
    if (part.tied?.isShared && ties.isEmbedding(found)) throw sharedEmbedding(name, adapter);
    return found;
  };

  const modules = new Map<string, AdaptedModule[]>();
  const shared = new Map<string, StoredTensor>();
  const copies = new Map<string, StoredTensor>();
  const replacedBy = new Map<string, Adapter>();
  for (const adapter of adapters) {
    let used = 0;
    for (const module of adapter.modules) {
      const found = place(module.module, adapter);
      if (found === undefined) continue;
      if (fixed?.test(found)) throw fixedModule(module.module, adapter);
      used++;
      modules.set(`${found}.weight`, [...(modules.get(`${found}.weight`) ?? []), module]);
    }
    for (const { name, tensor, isCopy } of adapter.replaced) {
      const placed = place(name, adapter);
      if (placed === undefined) continue;
      used++;
      // Tied modules that are saved without a copy of their own share the tensor.
      const tied = isCopy ? undefined : ties.standIn(placed.replace(/\.weight$/, ''));
      const found = tied === undefined ? placed : `${tied}.weight`;
      const other = replacedBy.get(found);
      if (other && other !== adapter) throw replacedTwice(found, [other, adapter]);
      replacedBy.set(found, adapter);
      (isCopy ? copies : shared).set(found, { ...tensor, name: found });
    }
    if (used === 0) throw noModule(adapter, label);
  }
  const touched = [...modules.keys(), ...copies.keys()];
  const tensors = new Map([...store.tensors, ...shared]);
  const baseTensors = new Map(store.tensors);
  for (const name of ties.separate(touched))
    for (const map of [tensors, baseTensors]) {
      const tied = map.get(`${ties.standIn(name.slice(0, -'.weight'.length)) ?? ''}.weight`);
      if (tied) map.set(name, { ...tied, name });
    }
  for (const [name, tensor] of copies) tensors.set(name, tensor);
  for (const [name, adapted] of modules) {
    const [added] = adapted.flatMap(({ bias }) => bias ?? []);
    if (added && !baseTensors.has(biasOf(name))) tensors.set(addedBiasOf(name), { ...added, name: addedBiasOf(name) });
  }
  for (const [name, tensor] of [...shared, ...copies]) expectSameShape(name, tensor, baseTensors.get(name));
  return {
    base: { ...store, tensors: baseTensors },
    store: { ...store, folder: commonFolder(filesOf(store, shared, copies)), tensors },
    // With the names of tied weights that are listed separately.
    replaced: new Set([...tensors.keys()].filter((name) => tensors.get(name)?.file !== baseTensors.get(name)?.file)),
    modules,
  };
}

/** The files of the weights of a part, of which there is at least one. */
function filesOf(
  { folder }: WeightStore,
  ...replaced: readonly ReadonlyMap<string, StoredTensor>[]
): readonly [string, ...string[]] {
  return [join(folder, 'file'), ...replaced.flatMap((tensors) => [...tensors.values()].map(({ file }) => file))];
}

/** A tied pair of which the checkpoint stores one. */
interface Ties {
  /** The stored module that an absent one is tied to. */
  standIn(module: string): string | undefined;
  isEmbedding(name: string): boolean;
  /** Names of absent weights that have to be listed, since only one of the pair is adapted. */
  separate(touched: readonly string[]): readonly string[];
}

function tiesOf({ store, tied }: AdaptedPart, start: string): Ties {
  const has = (module: string): boolean => store.tensors.has(`${module}.weight`);
  const head = `${start}${HEAD}`;
  const embeddings = (tied?.embeddings ?? []).map((name) => `${start}${name}`);
  const embedding = embeddings.find(has);
  const pair =
    embedding !== undefined && !has(head)
      ? { absent: [head], stored: embedding }
      : embedding === undefined && embeddings.length > 0 && has(head)
        ? { absent: embeddings, stored: head }
        : undefined;
  const [absent] = pair?.absent ?? [];
  return {
    standIn: (module) => (pair?.absent.includes(module) ? pair.stored : undefined),
    isEmbedding: (name) => embeddings.some((each) => name === each || name === `${each}.weight`),
    separate: (touched) =>
      pair && absent !== undefined && touched.some((name) => [pair.stored, ...pair.absent].includes(name.slice(0, -7)))
        ? // The adapted name itself if it is the absent one.
          [touched.find((name) => pair.absent.includes(name.slice(0, -7))) ?? `${absent}.weight`]
        : [],
  };
}

const biasOf = (weight: string): string => weight.replace(/weight$/, 'bias');
const addedBiasOf = (weight: string): string => weight.replace(/weight$/, ADDED_BIAS);

/**
 * The changes of the weights of a part. `isTransposed` tells the matrices that are stored as `[in, out]`.
 * @throws Blip2Error `SHAPE_MISMATCH` for an adapter of another base model.
 */
export function weightChanges(
  { base, modules }: PlacedAdapters,
  isTransposed: (name: string) => boolean,
): ReadonlyMap<string, readonly WeightChange[]> {
  const changes = new Map<string, WeightChange[]>();
  const add = (name: string, change: WeightChange): void =>
    void changes.set(name, [...(changes.get(name) ?? []), change]);
  for (const [name, adapted] of modules)
    for (const module of adapted) {
      const stored = base.tensors.get(name);
      if (!stored) continue;
      const transposed = module.kind === 'embedding' || isTransposed(name);
      expectShapes(module, stored, transposed);
      const { a, b, rank, scaling, magnitude, bias } = module;
      const change: LowRankChange = {
        kind: 'lowRank',
        a,
        b,
        rank,
        scaling,
        transposed,
        ...(magnitude && { magnitude }),
      };
      add(name, change);
      if (!bias) continue;
      expectShape(bias, [transposed ? (stored.shape[1] ?? 0) : (stored.shape[0] ?? 0)], stored);
      const own = base.tensors.has(biasOf(name)) ? biasOf(name) : addedBiasOf(name);
      // The first one that is added to a layer without a bias is its bias already, unscaled.
      const share = own === addedBiasOf(name) && !changes.has(own) ? 1 : 0;
      add(own, { kind: 'added', tensor: bias, scaling: scaling - share });
    }
  return changes;
}

function expectShapes({ a, b, magnitude, rank, kind }: AdaptedModule, stored: StoredTensor, transposed: boolean): void {
  const [first = 0, ...rest] = stored.shape;
  const out = transposed ? (rest[0] ?? 0) : first;
  const inner = transposed ? [first] : rest;
  const ones = kind === 'linear' && rest.length > 1 ? rest.slice(1).map(() => 1) : [];
  expectShape(a, [rank, ...inner], stored);
  expectShape(b, [out, rank, ...ones], stored);
  if (magnitude) expectShape(magnitude, ones.length > 0 ? [1, out, ...ones] : [out], stored);
}

function expectSameShape(name: string, tensor: StoredTensor, base: StoredTensor | undefined): void {
  if (base) expectShape({ ...tensor, name }, base.shape, base);
}

function expectShape(tensor: StoredTensor, expected: readonly number[], base: StoredTensor): void {
  if (tensor.shape.join() === expected.join()) return;
  throw new Blip2Error('SHAPE_MISMATCH', `The tensor ${tensor.name} does not fit ${base.name} of the base model`, {
    expected: `[${expected.join(', ')}]`,
    got: `[${tensor.shape.join(', ')}]`,
    where: tensor.file,
    subject: tensor.name,
    fix: 'Use the base model that the adapter was trained for (base_model_name_or_path)',
  });
}

function missingModule(name: string, { folder, config }: Adapter, base: string): Blip2Error {
  return new Blip2Error('MISSING_WEIGHT', `The base model has no module ${name}, which the adapter changes`, {
    where: folder,
    subject: name,
    got: base,
    fix: `Use the base model that the adapter was trained for${config.base === undefined ? '' : `: ${config.base.slice(0, 200)}`}`,
  });
}

function noModule({ folder }: Adapter, label: string): Blip2Error {
  return new Blip2Error('INVALID_ARGUMENT', `The adapter changes nothing in the ${label}`, {
    argument: 'adapters',
    where: folder,
    fix: 'Load the part that the adapter was trained for, or the whole model',
  });
}

function replacedTwice(name: string, [first, second]: readonly [Adapter, Adapter]): Blip2Error {
  return new Blip2Error('INVALID_ARGUMENT', `Two adapters replace the same tensor ${name}`, {
    argument: 'adapters',
    where: `${first.folder}, ${second.folder}`,
    subject: name,
    fix: 'Apply one of them at a time',
  });
}

function fixedModule(name: string, { folder }: Adapter): Blip2Error {
  return new Blip2Error('UNSUPPORTED_ARCHITECTURE', `The adapter changes ${name}, which cannot be adapted`, {
    where: folder,
    subject: name,
    fix: 'Train the adapter without this module, or list it in modules_to_save',
  });
}

function sharedEmbedding(name: string, { folder }: Adapter): Blip2Error {
  return new Blip2Error('UNSUPPORTED_ARCHITECTURE', `The adapter changes ${name}, whose table several modules share`, {
    where: folder,
    subject: name,
    fix: 'Train the adapter without this module',
  });
}
