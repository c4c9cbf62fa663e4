import { readFileSync, writeFileSync } from 'node:fs';

import { repositoryPath, resultPath } from '../repository.ts';
import { withSection } from './between-markers.ts';
import { charts } from './charts.ts';
import { parityMarkdown, smallParityMarkdown } from './parity-tables.ts';
import { smallSpeedMarkdown, speedMarkdown } from './speed-tables.ts';

/** `npm run bench:table`: writes the tables of README.md and docs/benchmarks.md, and the charts. */
export async function command(): Promise<void> {
  for (const [path, generate] of Object.entries(GENERATED_DOCUMENTS)) {
    const file = repositoryPath(path);
    writeFileSync(file, generate(readFileSync(file, 'utf8')));
  }
  for (const [file, svg] of Object.entries(charts())) writeFileSync(resultPath(file), svg);
}

/** Documents with generated sections: takes the text of each and returns it with current tables. */
export const GENERATED_DOCUMENTS: Readonly<Record<string, (document: string) => string>> = {
  'README.md': (document) =>
    withSection(withSection(document, 'parity', smallParityMarkdown()), 'speed', smallSpeedMarkdown()),
  'docs/benchmarks.md': (document) =>
    withSection(withSection(document, 'parity', parityMarkdown()), 'speed', speedMarkdown()),
};
