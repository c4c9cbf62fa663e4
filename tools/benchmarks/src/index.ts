export { type Counts, differences } from './measure/counts/counts.ts';
export { GENERATED_DOCUMENTS } from './report/bench-table.ts';
export { charts } from './report/charts.ts';
export { kindsMarkdown } from './report/kinds-of-machines.ts';
export type { BenchFile } from './report/result-files.ts';
export { llamaShape } from './shapes/random-gguf.ts';
