import type { CheckpointAdapters } from './checkpoint-adapters.ts';
import { type AdapterSelection, noAdapters } from './named-adapters.ts';
import { type SwitchablePart, switchablePart } from './switchable-part.ts';

/** Loads a part with adapters; undefined without any. */
type LoadPart = (adapters: readonly string[] | undefined) => Promise<AsyncDisposable>;

/** The created parts of a checkpoint, whose adapters can be changed. */
export interface PartSwitches {
  /** Loads a part with the active adapters. `paths` are those of the part in a checkpoint. */
  add(paths: readonly string[], load: LoadPart): Promise<AsyncDisposable>;
  /**
   * Loads the parts whose adapters change again. If one fails to load, or `expectUnchanged` rejects since files have
   * changed, all keep their adapters.
   * @throws Blip2Error `INVALID_ARGUMENT` for unknown names; the codes of the loaders.
   */
  select(selection: AdapterSelection, expectUnchanged: () => Promise<void>): Promise<void>;
}

interface LoadedPart {
  readonly paths: readonly string[];
  readonly load: LoadPart;
  readonly part: SwitchablePart<AsyncDisposable>;
}

/** Creates the switches of a checkpoint. Without adapters, parts are loaded as they are. */
export function createPartSwitches(adapters: CheckpointAdapters | undefined): PartSwitches {
  if (!adapters)
    return {
      add: (_, load) => load(undefined),
      select: noAdapters,
    };
  const loaded: LoadedPart[] = [];
  return {
    async add(paths, load) {
      const part = switchablePart(await load(adapters.foldersFor(paths)));
      loaded.push({ paths, load, part });
      return part.part;
    },
    async select(selection, expectUnchanged) {
      const names = adapters.select(selection);
      const changed = loaded.filter(
        ({ paths }) => adapters.foldersFor(paths).join('\0') !== adapters.foldersFor(paths, names).join('\0'),
      );
      const next: AsyncDisposable[] = [];
      try {
        for (const { paths, load } of changed) next.push(await load(adapters.foldersFor(paths, names)));
        await expectUnchanged();
      } catch (error) {
        for (const part of next) await part[Symbol.asyncDispose]();
        throw error;
      }
      adapters.activate(names);
      const former = changed.map(({ part }, index) => part.replace(next[index] ?? part.part));
      for (const part of former) await part[Symbol.asyncDispose]();
    },
  };
}
