import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { runFake } from '../../fixtures/fake-environment.ts';
import { repository } from '../../fixtures/spawn-blip2.ts';
import { BEST_POOL, POOLS } from './pool.ts';

interface Measured {
  readonly pool: string;
  readonly captionToImage: Readonly<Record<string, number>>;
  readonly imageToCaption: Readonly<Record<string, number>>;
}
/** What the pools are called in the measurement. */
const MEASURED_AS: Readonly<Record<string, string>> = { none: 'every query', 'unit-mean': 'mean, length 1' };
const { rows }: { readonly rows: readonly Measured[] } = JSON.parse(
  readFileSync(join(repository, 'tools/benchmarks/results/pool-recall.json'), 'utf8'),
);
const measured = (pool: string): Measured => rows.find((row) => row.pool === (MEASURED_AS[pool] ?? pool))!;
const percent = (share: number | undefined): string =>
  `${(100 * share!).toFixed(1).replace(/\.0$/, '')} %`.replace(/^(\d\d) %$/, '$1.0 %');

test('the default pool is the best one measured, in both directions', () => {
  for (const direction of ['captionToImage', 'imageToCaption'] as const) {
    const others = POOLS.filter((pool) => pool !== 'none').map((pool) => measured(pool)[direction]['recall@1']!);
    expect(measured(BEST_POOL)[direction]['recall@1']).toBe(Math.max(...others));
  }
});

test('help and README have the measured values', async () => {
  const help = (await runFake(['embed', '--help'])).stdout.replace(/\s+/g, ' ');
  const readme = readFileSync(join(repository, 'apps/cli/README.md'), 'utf8');
  for (const pool of POOLS) {
    const { captionToImage, imageToCaption } = measured(pool);
    for (const share of [captionToImage['recall@1'], captionToImage['recall@5']])
      expect(help).toContain(percent(share));
    const row = [captionToImage, imageToCaption]
      .flatMap((direction) => [direction['recall@1'], direction['recall@5']])
      .map(percent)
      .join(' | ');
    expect(
      readme.split('\n').find((line) => line.includes(`\`${pool}\``) && line.includes(row)),
      `${pool}: ${row}`,
    ).toBeDefined();
  }
});
