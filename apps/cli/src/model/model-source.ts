import { stat } from 'node:fs/promises';

import type { ModelSources } from '@blip2/blip2';
import { defined, mustBe } from '@blip2/interfaces';

/** Folders or Hub ids: one for a whole model, or one per part. */
export type ModelSource = string | ModelSources;

/** The options that name the sources of a model. */
export interface SourceOptions {
  /** Source of everything that has none of its own. */
  readonly model?: string;
  readonly vision?: string;
  readonly qformer?: string;
  readonly language?: string;
  readonly processor?: string;
}

/** Names of the parts with a source of their own. */
export const SOURCE_NAMES = ['vision', 'qformer', 'language', 'processor'] as const;
export type SourceName = (typeof SOURCE_NAMES)[number];

/**
 * The source of a model, or of each of its parts.
 * @throws Blip2Error `INVALID_ARGUMENT` for `--model` if every part has a source of its own, and for the source of a
 * part that the command never loads.
 */
export function sourceOf(
  options: SourceOptions,
  { demoFolder, unused = [] }: { readonly demoFolder: string; readonly unused?: readonly SourceName[] },
): ModelSource {
  const { model, vision, qformer, language, processor } = options;
  for (const name of unused)
    if (options[name] !== undefined)
      throw mustBe(`--${name}`, 'omitted, because this command does not load that part', options[name]);
  if (SOURCE_NAMES.every((name) => options[name] === undefined)) return model ?? demoFolder;
  if (model !== undefined && SOURCE_NAMES.every((name) => options[name] !== undefined))
    throw mustBe('--model', 'omitted, because every part has a source of its own', model);
  const whole = model ?? qformer ?? demoFolder;
  // Without a source of its own, a part is that of the Q-Former's source.
  const rest = qformer === undefined || qformer === whole ? undefined : whole;
  return {
    qformer: qformer ?? whole,
    ...defined({
      vision: vision ?? rest,
      language: language ?? rest,
      // A language model of another source brings its tokenizer.
      processor: processor ?? (language === undefined ? rest : undefined),
    }),
  };
}

/** The sources, each once, without the folders of parts that share one. */
export function sourcesIn(source: ModelSource): readonly string[] {
  return typeof source === 'string'
    ? [source]
    : [...new Set(Object.values(source).filter((each) => each !== undefined))];
}

/** Replaces every source. */
export async function mapSource(
  source: ModelSource,
  resolve: (source: string) => Promise<string>,
): Promise<ModelSource> {
  if (typeof source === 'string') return resolve(source);
  const entries: [string, string][] = [];
  for (const [name, own] of Object.entries(source)) if (own !== undefined) entries.push([name, await resolve(own)]);
  // The names are those of `source`.
  return Object.fromEntries(entries) as unknown as ModelSources;
}

/**
 * The `--revision` of a hub model, as an option of the library.
 * @throws Blip2Error `INVALID_ARGUMENT` for folders, which have no revisions, and for several hub models.
 */
export async function revisionOf(
  source: ModelSource,
  revision: string | undefined,
): Promise<{ readonly revision?: string }> {
  if (revision === undefined) return {};
  const given = sourcesIn(source);
  const isPath = await Promise.all(given.map((each) => stat(each).catch(() => undefined)));
  const hubModels = isPath.filter((found) => !found).length;
  if (hubModels === 0)
    throw mustBe('--revision', 'omitted for a folder', revision, { fix: 'Pass a hub id: -m owner/name' });
  if (hubModels > 1)
    throw mustBe('--revision', 'omitted for several hub models', revision, {
      fix: 'Name it in each: owner/name@revision',
    });
  return { revision };
}

/** Options with these sources in place of their own. */
export function withSource<Options extends SourceOptions>(options: Options, source: ModelSource | undefined): Options {
  if (source === undefined) return options;
  const others = Object.fromEntries(
    Object.entries(options).filter(([name]) => name !== 'model' && !SOURCE_NAMES.some((each) => each === name)),
  );
  // The members of `Options` that were removed are optional.
  return { ...others, ...(typeof source === 'string' ? { model: source } : source) } as Options;
}
