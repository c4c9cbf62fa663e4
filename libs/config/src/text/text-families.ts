import { createFamilyRegistry, expectFormat, expectMembers, type FamilyRegistry } from '../schema/family-registry.ts';
import { gemma3TextFamily } from './gemma3-text-config.ts';
import { gpt2Family } from './gpt2-config.ts';
import { llamaFamily } from './llama-config.ts';
import { mistralFamily } from './mistral-config.ts';
import { optFamily } from './opt-config.ts';
import { phi3Family } from './phi3-config.ts';
import { qwen2Family } from './qwen2-config.ts';
import { qwen3Family } from './qwen3-config.ts';
import { mt5Family } from './seq2seq/mt5-config.ts';
import { t5Family } from './seq2seq/t5-config.ts';
import { umt5Family } from './seq2seq/umt5-config.ts';
import type { TextConfigMembers } from './text-config-members.ts';
import type { TextFamily } from './text-family.ts';

/** By `model_type`. The first family is that of a configuration without one. */
const FAMILIES: ReadonlyMap<string, TextFamily> = new Map<string, TextFamily>([
  ['opt', optFamily],
  ['t5', t5Family],
  ['llama', llamaFamily],
  ['qwen2', qwen2Family],
  ['qwen3', qwen3Family],
  ['mistral', mistralFamily],
  ['phi3', phi3Family],
  ['gpt2', gpt2Family],
  ['gemma3_text', gemma3TextFamily],
  ['mt5', mt5Family],
  ['umt5', umt5Family],
]);

const registry: FamilyRegistry<TextFamily> = createFamilyRegistry({
  name: 'text',
  builtIn: FAMILIES,
  registeredBy: 'registerLanguageFamily of @blip2/language',
  isSame: (one, other) => one.format === other.format,
});

/** Every supported `model_type` of a language model, the default first. */
export function textModelTypes(): readonly string[] {
  return registry.types();
}

/**
 * Adds a family of language models; `registerLanguageFamily` of `@blip2/language` does this, and adds its models.
 * @throws Blip2Error `INVALID_ARGUMENT` if the type belongs to another family, or a member has the wrong type.
 */
export function registerTextFamily<C extends TextConfigMembers>(modelType: string, family: TextFamily<C>): void {
  expectMembers('config', family, { format: 'object', sizes: 'function' });
  expectFormat(family.format);
  registry.register(modelType, family);
}

/**
 * How configurations of one family of language models are read, and what they declare.
 * @throws Blip2Error `UNSUPPORTED_ARCHITECTURE`, with the registered types.
 */
export function textFamily(modelType: unknown, where?: string): TextFamily {
  return registry.find(modelType, where);
}

/** What is known about the licence of the language model in a repository, by its id. */
export function licenceNote(repository: string): string | undefined {
  const notes = registry.families().flatMap(({ licences = [] }) => licences);
  return notes.find(({ repositories }) => repositories.test(repository))?.note;
}
