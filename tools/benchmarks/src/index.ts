export { type Counts, differences } from './measure/counts/counts.ts';
export { GENERATED_DOCUMENTS } from './report/bench-table.ts';
export { charts } from './report/charts.ts';
