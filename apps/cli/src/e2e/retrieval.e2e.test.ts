import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { describe, expect, test } from 'vitest';

import { parseLines, readLines } from '../fixtures/evaluation-lines.ts';
import { repository, spawnBlip2 } from '../fixtures/spawn-blip2.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';

interface Example {
  readonly image: string;
  readonly caption: string;
  readonly false_caption: string;
}
interface Recorded {
  readonly logits: readonly [number, number];
  readonly itc: number;
}
interface Line {
  readonly image: string;
  readonly text: string;
  readonly itm: number;
  readonly itc: number;
}
const probability = ([mismatch, match]: readonly [number, number]): number => 1 / (1 + Math.exp(mismatch - match));

describe('the real command with the retrieval demo', () => {
  test('has the scores of Hugging Face Transformers for true and false captions of the example images', async () => {
    const examples = readLines<Example>('examples.jsonl');
    const recorded = readLines<{ readonly itm: { readonly true: Recorded; readonly false: Recorded } }>(
      'examples-expected.jsonl',
    );
    const images = examples.map(({ image }) => join(repository, 'examples', image));
    const texts = examples.flatMap(({ caption, false_caption: wrong }) => ['-t', caption, '-t', wrong]);
    const { exitCode, stdout, stderr } = await spawnBlip2([
      'match',
      ...images,
      ...texts,
      '--json',
      '--quiet',
      '--threads',
      '1',
    ]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    const scores = new Map(parseLines<Line>(stdout).map((line) => [`${line.image}\n${line.text}`, line]));
    examples.forEach(({ caption, false_caption: wrong }, index) => {
      const { itm } = recorded[index]!;
      for (const [text, { logits, itc }] of [
        [caption, itm.true],
        [wrong, itm.false],
      ] as const) {
        const line = scores.get(`${images[index]}\n${text}`)!;
        expect(Math.abs(line.itm - probability(logits)), `${images[index]}: ${text}`).toBeLessThan(1e-3);
        expect(Math.abs(line.itc - itc), `${images[index]}: ${text}`).toBeLessThan(1e-3);
      }
    });
  });

  test('embeds images and texts whose dot product is the cosine of match', async () => {
    const at = await temporaryFolder({});
    const image = join(repository, 'examples/one-large-star.png');
    const text = 'a large yellow star';
    const embed = async (
      ...argv: string[]
    ): Promise<{ readonly shape: number[]; readonly embedding: number[] | number[][] }> => {
      const { exitCode, stderr } = await spawnBlip2(['embed', ...argv, '--quiet', '-o', at('out.jsonl'), '--restart']);
      expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
      return JSON.parse(readFileSync(at('out.jsonl'), 'utf8'));
    };
    const queries = (await embed(image)).embedding as number[][];
    const words = (await embed('-t', text)).embedding as number[];
    const best = Math.max(
      ...queries.map((query) => query.reduce((sum, value, index) => sum + value * words[index]!, 0)),
    );
    const [line] = parseLines<Line>((await spawnBlip2(['match', image, '-t', text, '--json', '--quiet'])).stdout);
    expect(best).toBeCloseTo(line!.itc, 5);
    expect((await embed(image, '--part', 'projection')).shape).toHaveLength(2);
    expect((await embed(image, '-t', text)).shape).toEqual([12, 96]);
  });

  test('rejects a generation checkpoint', async () => {
    const { exitCode, stderr } = await spawnBlip2([
      'match',
      join(repository, 'examples/one-large-star.png'),
      '-t',
      'star',
      '-m',
      fileURLToPath(new URL('../../models/blip2-opt-shapes', import.meta.url)),
    ]);
    expect(exitCode).toBe(1);
    expect(stderr).toContain('UNSUPPORTED_ARCHITECTURE');
  });
});
