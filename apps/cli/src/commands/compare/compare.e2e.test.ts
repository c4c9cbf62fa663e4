import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { describe, expect, test } from 'vitest';

import { bash, spawnBlip2 } from '../../fixtures/spawn-blip2.ts';
import { temporaryFolder } from '../../fixtures/temporary-folder.ts';
import { demoModelFolder } from '../../model/demo-model.ts';

const image = fileURLToPath(new URL('../../../evaluation/images/001.png', import.meta.url));

describe('blip2 compare', () => {
  test('runs the demo at both precisions and reports their difference', async () => {
    const at = await temporaryFolder({});
    const { exitCode, stdout, stderr } = await bash(
      `blip2 compare '${demoModelFolder}' '${image}' --dtype fp32,q8 --json --threads 1`,
      { BLIP2_CACHE: at('cache') },
    );
    expect([exitCode, stderr]).toEqual([0, '']);
    const [line, last] = stdout
      .trim()
      .split('\n')
      .map((text): unknown => JSON.parse(text));
    expect(line).toMatchObject({
      image,
      precisions: [
        { dtype: 'fp32', text: 'a large orange circle', logitError: 0 },
        { dtype: 'q8', text: 'a large orange circle', sameTokens: 5, tokens: 5 },
      ],
    });
    expect((line as { precisions: { logitError: number }[] }).precisions[1]?.logitError).toBeLessThan(0.03);
    expect(last).toMatchObject({ summary: [{ dtype: 'fp32' }, { dtype: 'q8' }] });
  });

  test.each([['fp32'], ['fp32,fp32'], ['fp32,']])('needs two precisions: %s', async (dtype) => {
    const { exitCode, stderr } = await spawnBlip2([
      'compare',
      demoModelFolder,
      join(image, '../000.png'),
      '--dtype',
      dtype,
    ]);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/two or more names/);
  });

  test('suggests a replacement for an unsupported precision', async () => {
    const { exitCode, stderr } = await spawnBlip2(['caption', image, '--dtype', 'language=bf16', '--quiet']);
    expect([exitCode, stderr]).toEqual([2, expect.stringMatching(/UNSUPPORTED_DTYPE.*language.*bf16.*fast/)]);
  });
});
