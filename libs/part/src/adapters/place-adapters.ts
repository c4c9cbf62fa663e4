import { join } from 'node:path';

import { commonFolder } from '@blip2/files';
import type { StoredTensor, WeightStore } from '@blip2/interfaces';

import { type BaseModules, nameInBase, partOfName } from './base-names.ts';
import type { AdaptedPart, PlacedAdapters } from './placed-adapters.ts';
import { fixedModule, missingModule, noModule, replacedTwice, sharedEmbedding } from './placement-errors.ts';
import type { AdaptedModule, Adapter } from './read-adapter.ts';
import { tiesOf } from './tied-names.ts';
import { addedBiasOf, biasOf, expectSameShape } from './weight-changes.ts';

/**
 * Finds the tensors of a part that adapters change. All adapters apply together.
 * @throws Blip2Error `MISSING_WEIGHT` for a module that the base model lacks; `SHAPE_MISMATCH` for an adapter of
 * another base model; `INVALID_ARGUMENT` for adapters that replace the same tensor, or have nothing for this part;
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
  for (const name of copies.keys()) {
    // Another adapter changes a module that this one replaces.
    const [module] = modules.get(name) ?? [];
    const [first, second] = [replacedBy.get(name), adapters.find((each) => module && each.modules.includes(module))];
    if (first && second) throw replacedTwice(name, [first, second]);
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
