import { createPartHost, effectiveIsolation, type Isolation, moduleUrl, type PartHost } from '@blip2/runtime';

/** The module of the vision host's loaders. */
export const visionLoaders = (): URL =>
  moduleUrl('blip2/parts/vision-loaders.js', () => new URL('./vision-loaders.js', import.meta.url));
/** The module of the language host's loader. */
export const languageLoader = (): URL =>
  moduleUrl('blip2/parts/language-loader.js', () => new URL('./language-loader.js', import.meta.url));

/**
 * The threads or processes that a model runs in: one for the language model, whose sessions are opened while an image
 * is encoded, and one for all other parts.
 */
export interface ModelHosts extends AsyncDisposable {
  readonly vision: PartHost;
  readonly language: PartHost;
  /** Starts the vision host. */
  startVision(): void;
  /** Starts the language host. */
  startLanguage(): void;
  /** Resolves when what was started has loaded its modules. Never rejects. */
  started(): Promise<void>;
  /** Disposes of both without waiting for workers that hang. A process that has not ended after 5 s is killed. */
  abandon(): void;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Creates the hosts of a model. Neither is started. */
export function createModelHosts(isolate: Isolation): ModelHosts {
  const effective = effectiveIsolation(isolate);
  const vision = createPartHost({ isolate: effective });
  const language = createPartHost({ isolate: effective });
  // Each host is started once, also if it was started ahead.
  let visionStart: Promise<void> | undefined;
  let languageStart: Promise<void> | undefined;
  return {
    vision,
    language,
    startVision: () => void (visionStart ??= vision.start(visionLoaders())),
    startLanguage: () => void (languageStart ??= language.start(languageLoader())),
    started: async () => void (await Promise.all([visionStart, languageStart])),
    abandon() {
      language.abandon();
      vision.abandon();
    },
    async [Symbol.asyncDispose]() {
      await language[Symbol.asyncDispose]();
      await vision[Symbol.asyncDispose]();
    },
  };
}

/** What to start ahead. */
export interface StartHostsOptions {
  readonly isolate: Exclude<Isolation, 'inline'>;
  /** Whether the model has a language model. Default: true. */
  readonly language?: boolean;
}

/**
 * Starts the threads or processes of a model ahead: before the package itself is loaded, and before it is known which
 * model it will be. Pass the result to `fromPretrained` as `hosts`.
 */
export function startModelHosts({ isolate, language = true }: StartHostsOptions): ModelHosts {
  const hosts = createModelHosts(isolate);
  hosts.startVision();
  if (language) hosts.startLanguage();
  return hosts;
}
