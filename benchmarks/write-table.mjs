/**
 * Writes what was measured into README.md, and the bar charts that it shows, from benchmarks/results/*.json: npm run
 * bench:table.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { captionCharts, measuredMarkdown, withMeasured } from './measured.mjs';

const root = join(import.meta.dirname, '..');
const readme = join(root, 'README.md');
writeFileSync(readme, withMeasured(readFileSync(readme, 'utf8'), measuredMarkdown(root)));
for (const [file, svg] of Object.entries(captionCharts(root)))
  writeFileSync(join(root, 'benchmarks/results', file), svg);
