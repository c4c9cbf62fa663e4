import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const root: string = join(import.meta.dirname, '..');
/** Generated, and checked at its source. */
const GENERATED = join('docs', 'api');

/** A fenced block of a document. */
export interface Block {
  readonly file: string;
  /** Number among the blocks of its language in the file, from 1. */
  readonly index: number;
  readonly language: string;
  readonly code: string;
  /** Its output, if documented: a `text` block that follows immediately. */
  readonly output: string | undefined;
}

/** All README files, and all pages in `docs`. */
export function documents(): string[] {
  const packages = ['libs', 'apps', 'tools'].flatMap((group) =>
    readdirSync(join(root, group)).map((name) => join(group, name, 'README.md')),
  );
  const pages = readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' }).map((name) =>
    join('docs', name),
  );
  return ['README.md', ...packages, ...pages].filter(
    (file) => file.endsWith('.md') && !file.startsWith(GENERATED) && existsSync(join(root, file)),
  );
}

const FENCED = /^( *)```([^\n`]*)\n(.*?)^\1```$/gms;
const OUTPUT = /^\n+```text\n(.*?)^```$/ms;

/** All fenced blocks of all documents. */
export function documentedBlocks(): Block[] {
  return documents().flatMap((file) => {
    const text = readFileSync(join(root, file), 'utf8');
    const counts = new Map<string, number>();
    return [...text.matchAll(FENCED)].map(({ 0: whole, 2: language = '', 3: code = '', index: at }) => {
      const index = (counts.get(language) ?? 0) + 1;
      counts.set(language, index);
      const rest = text.slice(at + whole.length);
      const output = OUTPUT.exec(rest);
      return { file, index, language, code, output: output?.index === 0 ? output[1] : undefined };
    });
  });
}
