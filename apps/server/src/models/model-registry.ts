import type { LoadOptions } from '@blip2/blip2';
import { Blip2Error, unlessAborted } from '@blip2/interfaces';

import { type LoadedModel, loadModel, type ModelOutline, outlineModel, type Stall } from './load-model.ts';
import {
  createEntry,
  disposeSoon,
  type Entry,
  MAX_SHOWN_LENGTH,
  MAX_TIMER_MS,
  type ModelStatus,
  type NamedSource,
  noMemory,
  statusOf,
  wrongKind,
} from './model-entry.ts';
import type { ServedModel } from './served-model.ts';

/** A model that one request uses. */
export interface ModelLease<Model extends ServedModel = ServedModel> extends AsyncDisposable {
  readonly name: string;
  readonly model: Model;
  /** Shared by the requests of the model. */
  readonly stall: Stall;
  /** Disposes of a model that does not answer, so that the next request loads it again. */
  replace(): void;
}

/** Options of the models of a server. */
export interface RegistryOptions {
  readonly models: readonly NamedSource[];
  readonly load: LoadOptions;
  readonly maxWaiting: number;
  /** Requests that use a model at the same time. */
  readonly maxRunning: number;
  /** Milliseconds without progress after which a model that is being loaded is given up. */
  readonly loadTimeoutMs: number;
  /** Milliseconds without a request after which a model is unloaded; `Infinity`: never. */
  readonly keepAliveMs: number;
  /** Most bytes of weight files in memory. Idle models are unloaded for others. */
  readonly maxModelBytes: number;
  /** Called with the error of a model that could not be unloaded. */
  readonly onError: (error: unknown) => void;
}

/** The models of a server, by name. */
export interface ModelRegistry extends AsyncDisposable {
  /**
   * Waits for a place at a model and loads it if necessary. The first model is the default; with `kind`, the first one
   * of that kind.
   * @throws Blip2Error `NOT_FOUND` for an unknown name; `QUEUE_FULL`; `INVALID_ARGUMENT` for a model of another kind;
   * the codes of `fromPretrained`.
   */
  acquire<Kind extends ServedModel['kind']>(
    request: { readonly name: string | undefined; readonly kind?: Kind; readonly keepAliveMs?: number | undefined },
    signal: AbortSignal,
  ): Promise<ModelLease<Extract<ServedModel, { readonly kind: Kind }>>>;
  /** @throws Blip2Error `NOT_FOUND`. */
  status(name: string): Promise<ModelStatus>;
  list(): Promise<readonly ModelStatus[]>;
  /** Statuses of the models, without reading what is not known yet. */
  known(): readonly ModelStatus[];
  /** Unloads a model as soon as no request uses it. */
  unload(name: string): void;
}

/** Creates the registry. Nothing is loaded before it is requested. */
export function createModelRegistry(options: RegistryOptions): ModelRegistry {
  const entries = new Map(options.models.map((model) => [model.name, createEntry(model, options)]));

  const entryOf = (name: string): Entry => {
    const entry = entries.get(name) ?? entries.get(name.replace(/:latest$/, ''));
    if (entry) return entry;
    throw new Blip2Error('NOT_FOUND', `The model ${JSON.stringify(name.slice(0, MAX_SHOWN_LENGTH))} does not exist`, {
      argument: 'model',
      expected: [...entries.keys()].join(', '),
    });
  };
  const outlineOf = async (entry: Entry): Promise<ModelOutline> => {
    entry.outline ??= outlineModel(entry.source, options.load).catch((error: unknown) => {
      entry.outline = undefined;
      throw error;
    });
    return (entry.knownOutline = await entry.outline);
  };
  /** Reads what is on this machine: questions about models must not download them. */
  const peek = async (entry: Entry): Promise<void> => {
    entry.knownOutline ??= await outlineModel(entry.source, { ...options.load, localFilesOnly: true }).catch(
      () => undefined,
    );
  };
  const defaultEntry = async (kind: ServedModel['kind'] | undefined): Promise<Entry> => {
    for (const entry of entries.values()) {
      if (kind !== undefined) await peek(entry);
      if (kind === undefined || entry.knownOutline?.kind === kind) return entry;
    }
    throw wrongKind(kind, entries.keys().next().value ?? '');
  };
  const expectKind = (kind: ServedModel['kind'] | undefined, { name, knownOutline }: Entry): void => {
    if (kind !== undefined && knownOutline !== undefined && knownOutline.kind !== kind) throw wrongKind(kind, name);
  };
  const unloadNow = async (entry: Entry): Promise<void> => {
    clearTimeout(entry.timer);
    const { loading } = entry;
    [entry.loading, entry.model, entry.expiresAt] = [undefined, undefined, undefined];
    await loading?.then(disposeSoon).catch(options.onError);
  };
  const makeRoom = async (entry: Entry): Promise<void> => {
    const { bytes } = await outlineOf(entry);
    const loaded = [...entries.values()].filter((other) => other !== entry && other.loading);
    const idle = loaded.filter(({ users }) => users === 0).sort((a, b) => a.usedAt - b.usedAt);
    const used = (): number =>
      loaded.reduce((sum, { loading, knownOutline }) => sum + (loading ? (knownOutline?.bytes ?? 0) : 0), 0);
    const unloaded: Promise<void>[] = [];
    while (used() + bytes > options.maxModelBytes) {
      const oldest = idle.shift();
      if (!oldest) throw noMemory(entry.name, bytes, options.maxModelBytes);
      unloaded.push(unloadNow(oldest));
    }
    // Both in memory would be more than the limit.
    await Promise.all(unloaded);
  };
  const load = async (entry: Entry): Promise<LoadedModel> => {
    await makeRoom(entry);
    return loadModel(await outlineOf(entry), options.load, options.loadTimeoutMs);
  };
  const loaded = (entry: Entry): Promise<LoadedModel> => {
    // The signal of one request must not abort the loading that others wait for.
    const loading = (entry.loading ??= load(entry));
    const settle = (model: ServedModel | undefined): void => {
      if (entry.loading !== loading) return;
      entry.model = model;
      if (!model) entry.loading = undefined;
    };
    loading.then(
      ({ model }) => settle(model),
      () => settle(undefined),
    );
    return loading;
  };
  const release = (entry: Entry): void => {
    entry.users--;
    entry.usedAt = performance.now();
    if (entry.users > 0 || !entry.loading) return;
    clearTimeout(entry.timer);
    entry.expiresAt = undefined;
    if (entry.keepAliveMs <= 0) return void unloadNow(entry);
    if (entry.keepAliveMs > MAX_TIMER_MS) return;
    entry.expiresAt = Date.now() + entry.keepAliveMs;
    entry.timer = setTimeout(() => entry.users === 0 && unloadNow(entry), entry.keepAliveMs);
    entry.timer.unref();
  };

  return {
    async acquire({ name, kind, keepAliveMs }, signal) {
      const entry = name === undefined ? await defaultEntry(kind) : entryOf(name);
      await peek(entry);
      expectKind(kind, entry);
      const place = await entry.queue.enter(signal);
      entry.users++;
      entry.keepAliveMs = keepAliveMs ?? options.keepAliveMs;
      let hasEnded = false;
      const end = async (): Promise<void> => {
        if (hasEnded) return;
        hasEnded = true;
        place.leave();
        release(entry);
      };
      try {
        const loading = loaded(entry);
        const { model, stall, abandon } = await unlessAborted(loading, signal);
        // Only now known for a model that had to be downloaded.
        expectKind(kind, entry);
        const replace = (): void => {
          abandon();
          // Another request may have replaced it already.
          if (entry.loading === loading) [entry.loading, entry.model] = [undefined, undefined];
        };
        return { name: entry.name, model: model as never, stall, replace, [Symbol.asyncDispose]: end };
      } catch (error) {
        await end();
        throw error;
      }
    },
    async status(name) {
      const entry = entryOf(name);
      await peek(entry);
      return statusOf(entry);
    },
    async list() {
      await Promise.all([...entries.values()].map(peek));
      return [...entries.values()].map(statusOf);
    },
    known: () => [...entries.values()].map(statusOf),
    unload(name) {
      const entry = entryOf(name);
      entry.keepAliveMs = 0;
      if (entry.users === 0) void unloadNow(entry);
    },
    async [Symbol.asyncDispose]() {
      const loading = [...entries.values()].flatMap((entry) => entry.loading ?? []);
      for (const entry of entries.values()) {
        clearTimeout(entry.timer);
        [entry.loading, entry.model] = [undefined, undefined];
      }
      await Promise.allSettled(loading.map(async (model) => disposeSoon(await model)));
    },
  };
}
