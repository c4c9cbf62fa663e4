import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { describe, expect, test } from 'vitest';

import { bash, repository, spawnBlip2 } from '../fixtures/spawn-blip2.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';

const images = ['one-large-star.png', 'left-of.png'].map((name) => join(repository, 'examples', name));
const rowsIn = async (file: string): Promise<Record<string, unknown>[]> =>
  parquetReadObjects({ file: await asyncBufferFromFile(file) });

describe('the outputs of the real command', () => {
  test('the clip-retrieval folder has the mean of the queries, scaled to length 1, in float32', async () => {
    const at = await temporaryFolder();
    expect(
      (await spawnBlip2(['embed', ...images, '-o', at('index'), '--format', 'clip-retrieval', '--quiet'])).exitCode,
    ).toBe(0);
    expect((await spawnBlip2(['embed', ...images, '-o', at('all.parquet'), '--quiet'])).exitCode).toBe(0);
    const bytes = readFileSync(at('index/img_emb/img_emb_0.npy'));
    const start = 10 + bytes.readUInt16LE(8);
    const vectors = (await rowsIn(at('all.parquet'))).map((row) => {
      const [queries, size] = row['shape'] as [number, number];
      const values = row['embedding'] as number[];
      const mean = Array.from(
        { length: size },
        (_, column) =>
          Array.from({ length: queries }, (__, query) => values[query * size + column]!).reduce(
            (sum, value) => sum + value,
          ) / queries,
      );
      return mean.map((value) => value / Math.hypot(...mean));
    });
    expect(bytes.length).toBe(start + 4 * vectors.flat().length);
    vectors.flat().forEach((value, index) => expect(bytes.readFloatLE(start + 4 * index)).toBeCloseTo(value, 6));
    expect(await rowsIn(at('index/metadata/metadata_0.parquet'))).toEqual(
      images.map((image) => ({ image_path: image })),
    );
  });

  test('nothing is reported when the reader of a pipe has closed it', async () => {
    for (const command of [
      `embed '${images[0]}' '${images[1]}' --batch-size 1 --json`,
      `caption '${images[0]}' '${images[1]}' --batch-size 1`,
    ]) {
      expect(await bash(`blip2 ${command} --quiet | true`), command).toMatchObject({ exitCode: 0, stderr: '' });
    }
  });
});
