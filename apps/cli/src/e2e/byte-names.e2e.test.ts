import { readdir } from 'node:fs/promises';

import { expect, test } from 'vitest';

import { bash } from '../fixtures/spawn-blip2.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';

const STAR = 'examples/one-large-star.png';

test.runIf(process.platform === 'linux')('files whose names are not UTF-8 are captioned', async () => {
  const at = await temporaryFolder();
  const copies = String.raw`cp ${STAR} ${at()}/$'caf\xe9.png'; cp ${STAR} ${at()}/$'caf\xe8.png'; cd ${at()}; `;
  const stdout = ['caf\\xe8.png', 'caf\\xe9.png'].map((name) => `${name}\ta large yellow star\n`).join('');
  for (const argument of ['*.png', '.', '"*.png"'])
    expect(await bash(`${copies}blip2 caption --quiet ${argument}`), argument).toMatchObject({
      exitCode: 0,
      stdout,
      stderr: '',
    });
});

test.runIf(process.platform === 'linux')('an output whose name is not UTF-8 is refused, not renamed', async () => {
  const at = await temporaryFolder();
  expect(await bash(`blip2 caption ${STAR} -o ${at()}/$'caf\\xe9.txt'`)).toMatchObject({
    exitCode: 2,
    stderr: expect.stringContaining('The name of an output must be UTF-8, got'),
  });
  expect(await readdir(at())).toEqual([]);
});

test('compare counts the images of a folder that fail', async () => {
  const at = await temporaryFolder({ 'bad.png': 'bad' });
  const compare = 'blip2 compare apps/cli/models/blip2-opt-shapes --dtype fp32,int8 --max-new-tokens 2';
  expect(await bash(`cp ${STAR} ${at()}/1.png; cp ${STAR} ${at()}/2.png; ${compare} ${at()}`)).toMatchObject({
    exitCode: 3,
    stderr: expect.stringContaining(`${at('bad.png')}: `),
  });
});
