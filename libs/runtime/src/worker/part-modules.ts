import { mustBe, processWide } from '@blip2/interfaces';

const modules: Set<string> = processWide('part-modules', () => new Set<string>());

/**
 * Has every worker import a module before it creates a part, also a worker that replaces another: for modules that
 * register what parts are made of.
 * @throws Blip2Error `INVALID_ARGUMENT` if `module` is not a URL.
 */
export function importInWorkers(module: string | URL): void {
  expectModule(module);
  modules.add(String(module));
}

/** @throws Blip2Error `INVALID_ARGUMENT` if `module` is not a URL. */
export function expectModule(module: unknown): void {
  if (URL.canParse(String(module))) return;
  throw mustBe('module', 'the URL of a module', module, { fix: 'Pass import.meta.url' });
}

/** The URLs of these modules, in the order in which they were added. */
export function partModules(): readonly string[] {
  return [...modules];
}
