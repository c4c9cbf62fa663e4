export { endOnFatalErrors } from './fatal-errors.ts';
export { main } from './main.ts';
