export { medianOf, rangeOf } from './commands/bench/bench-report.ts';
export { endOnFatalErrors } from './fatal-errors.ts';
export { main } from './main.ts';
export type { Blip2Module, Blip2ModuleContext } from './module/blip2-module.ts';
