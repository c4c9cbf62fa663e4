import type { AdapterConfig } from './adapter-config.ts';
import { compilePattern, type Pattern, type PatternBudget, patternBudget } from './pattern.ts';

/** What the configuration of an adapter means for one module, by its name in the base model. */
export interface ModuleOptions {
  /** Why PEFT would not adapt the module; undefined if it does. */
  refusal(module: string): string | undefined;
  rank(module: string): number;
  /** Factor of `B · A`. */
  scaling(module: string): number;
  /** Whether `modules_to_save` names the module, or one above it. */
  isSaved(module: string): boolean;
}

/**
 * Reads the options of PEFT that select modules by name.
 * @throws Blip2Error `INVALID_CONFIG` for regular expressions that are not supported, also from the functions if they
 * take too long.
 */
export function moduleOptions(config: AdapterConfig, where: string): ModuleOptions {
  const budget = patternBudget();
  const compile = (option: string, text: string): Pattern => compilePattern(text, `${option} in ${where}`, budget);
  const isTarget = targetTest(config, where, compile);
  const isExcluded = nameTest(config.excludeModules, (text) => compile('exclude_modules', text));
  const saved = config.modulesToSave.map((name) => compile('modules_to_save', `(^|.*\\.)(?:${name})($|\\..*)`));
  const isSaved = (module: string): boolean => saved.some((pattern) => pattern.matches(module));
  const ranks = patternTable('rank_pattern', config.rankPattern, where, budget);
  const alphas = patternTable('alpha_pattern', config.alphaPattern, where, budget);
  const rank = (module: string): number => ranks(module) ?? config.r;
  return {
    refusal(module) {
      if (isExcluded(module)) return 'exclude_modules names it';
      if (isSaved(module)) return 'modules_to_save names it too';
      return isTarget(module) ? undefined : 'target_modules and layers_to_transform do not include it';
    },
    rank,
    scaling(module) {
      const alpha = alphas(module) ?? config.loraAlpha;
      return config.useRslora ? alpha / Math.sqrt(rank(module)) : alpha / rank(module);
    },
    isSaved,
  };
}

type Compile = (option: string, text: string) => Pattern;
type ModuleTest = (module: string) => boolean;

/** The first matching entry of `rank_pattern` or `alpha_pattern`: a pattern of the end of the module's name. */
function patternTable(
  option: string,
  table: ReadonlyMap<string, number>,
  where: string,
  budget: PatternBudget,
): (module: string) => number | undefined {
  const entries = [...table].map(([key, value]) => {
    const end = simpleEnd(key);
    const pattern = end ?? compilePattern(`(.*\\.)?(${key})$`, `${option} in ${where}`, budget);
    return { pattern, value };
  });
  return (module) => entries.find(({ pattern }) => pattern.matches(module))?.value;
}

/** A quick test for the end of a name. Some adapters list every module; a period stands for any character. */
function simpleEnd(key: string): Pattern | undefined {
  if (!/^[\w.-]+$/.test(key)) return undefined;
  return {
    matches(module) {
      const start = module.length - key.length;
      if (start < 0 || (start > 0 && module[start - 1] !== '.')) return false;
      return [...key].every((character, at) => character === '.' || character === module[start + at]);
    },
  };
}

function nameTest(names: readonly string[] | string, compile: (text: string) => Pattern): ModuleTest {
  if (typeof names === 'string') {
    if (names === '') return () => false;
    const pattern = compile(names);
    return (module) => pattern.matches(module);
  }
  return (module) => names.some((name) => module === name || module.endsWith(`.${name}`));
}

function targetTest(config: AdapterConfig, where: string, compile: Compile): ModuleTest {
  const { targetModules: targets, layersToTransform: layers } = config;
  if (targets === undefined) return () => true;
  const isNamed = nameTest(targets, (text) => compile('target_modules', text));
  // PEFT selects layers for lists of names only, and not for modules that are named in full.
  if (typeof targets === 'string' || layers.length === 0) return isNamed;
  const layerOf = layerIndex(config.layersPattern, where, compile);
  return (module) => {
    if (targets.includes(module)) return true;
    const layer = layerOf(module);
    return isNamed(module) && layer !== undefined && layers.includes(layer);
  };
}

/** The index of a module's layer: the number after a segment that a pattern matches, or after the second at least. */
function layerIndex(
  patterns: readonly string[],
  where: string,
  compile: Compile,
): (module: string) => number | undefined {
  const compiled = patterns.map((text) => compile('layers_pattern', text));
  return (module) => {
    const segments = module.split('.');
    const candidates = segments.flatMap((segment, at) =>
      /^\d+$/.test(segment) && at < segments.length - 1 ? [{ index: Number(segment), at }] : [],
    );
    if (compiled.length === 0) return candidates.find(({ at }) => at >= 2)?.index;
    for (const pattern of compiled) {
      // The pattern may span several segments.
      const found = candidates.find(({ at }) =>
        Array.from({ length: at }, (_, start) => segments.slice(start, at).join('.')).some(pattern.matches),
      );
      if (found) return found.index;
    }
    return undefined;
  };
}
