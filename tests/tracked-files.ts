import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { root } from './documents.ts';

/** A folder whose files are data, generated or vendored. */
const DATA_FOLDER = /(?:^|\/)(?:testdata|fixtures|generated|vendor|results)\//;
const TEST_FILE = /\.(?:test|spec|bench)\.|(?:^|\/)tests?\//;

/** All files that Git tracks, relative to the root. New files count before they are added. */
export function trackedFiles(): readonly string[] {
  const args = ['ls-files', '--cached', '--others', '--exclude-standard'];
  const output = execFileSync('git', args, { cwd: root, encoding: 'utf8' });
  return output.split('\n').filter((file) => file !== '' && existsSync(join(root, file)));
}

/** Content of a file, given relative to the root. */
export function readTracked(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

/** TypeScript and JavaScript files, tests included; no declarations, data or generated code. */
export function codeFiles(): readonly string[] {
  return trackedFiles().filter((file) => /(?<!\.d)\.(?:ts|mjs|js|tsx)$/.test(file) && !DATA_FOLDER.test(file));
}

/** Code files that are not tests. */
export function sourceFiles(): readonly string[] {
  return codeFiles().filter((file) => !TEST_FILE.test(file));
}
