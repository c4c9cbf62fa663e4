import { PassThrough } from 'node:stream';

import { licenceNote } from '@blip2/config';
import { describe, expect, test } from 'vitest';

import type { Environment } from '../environment.ts';
import { createDownloadReport, type ReportSettings } from './download-report.ts';
import { downloadPlan as plan } from './fixtures/download-plan.ts';
import { planSummary } from './plan-summary.ts';

/** The text on stderr during a download with one progress event per second. */
async function report(
  variables: Record<string, string>,
  isTTY: boolean,
  settings: Partial<ReportSettings> = {},
  columns = 80,
): Promise<string> {
  const stderr = Object.assign(new PassThrough(), { isTTY, columns });
  let now = 0;
  const { onPlan, onProgress, clear } = await createDownloadReport(
    { stderr, variables },
    { quiet: false, progress: true, ...settings },
    () => now,
  );
  onPlan(plan);
  for (const loaded of [0, 79_000_000, 79_000_001, 158_000_000]) {
    onProgress({ stage: 'download', file: 'model.safetensors', loaded, total: 15_800_000_000 });
    now += loaded === 79_000_000 ? 10 : 1000;
  }
  clear();
  return stderr.read()?.toString() ?? '';
}

describe('createDownloadReport', () => {
  test('reports sizes and licence, and on a terminal progress, rate and remaining time', async () => {
    const text = await report({}, true);
    expect(text.startsWith(planSummary(plan))).toBe(true);
    expect(text.slice(planSummary(plan).length).split('\r\u001b[K')).toEqual([
      '',
      '0 %, 500 B of 15.8 GB',
      '0 %, 79.0 MB of 15.8 GB, 79.0 MB/s, 4 min left',
      '1 %, 158.0 MB of 15.8 GB, 78.6 MB/s, 4 min left',
      '',
    ]);
  });

  test.each([
    ['no terminal', {}, false, {}],
    ['CI', { CI: '1' }, true, {}],
    ['a dumb terminal', { TERM: 'dumb' }, true, {}],
    ['--no-progress', {}, true, { progress: false }],
    ['HF_HUB_DISABLE_PROGRESS_BARS', { HF_HUB_DISABLE_PROGRESS_BARS: '1' }, true, {}],
  ])('shows no progress with %s', async (_, variables, isTTY, settings) => {
    expect(await report(variables, isTTY, settings)).toBe(planSummary(plan));
  });

  test('writes nothing with --quiet', async () => {
    expect(await report({}, true, { quiet: true })).toBe('');
  });

  test('adds up files that are converted at the same time', async () => {
    let text = '';
    const stderr = { isTTY: true, write: (part: string) => void (text += part) } as unknown as Environment['stderr'];
    let at = 0;
    const { onProgress } = await createDownloadReport(
      { stderr, variables: {} },
      { quiet: false, progress: true },
      () => (at += 1000),
    );
    const convert = (file: string, loaded: number, total: number): void =>
      onProgress({ stage: 'convert', file, loaded, total });
    convert('a', 30, 100);
    convert('b', 30, 300);
    convert('a', 100, 100);
    convert('b', 300, 300);
    expect(text.match(/\d+ %/g)).toEqual(['30 %', '15 %', '32 %', '100 %']);
  });

  test('fits a narrow terminal', async () => {
    const lines = (await report({}, true, {}, 20)).slice(planSummary(plan).length).split('\r\u001b[K');
    expect(Math.max(...lines.map((line) => line.length))).toBe(19);
  });
});

describe('planSummary', () => {
  test('has model, sizes, free space and licences', () => {
    expect(planSummary(plan)).toBe(
      'Salesforce/blip2-flan-t5-xl (aaaaaaaaaaaa): 15.8 GB of 15.8 GB in 1 file; 40.0 GB free\nLicence: mit\n' +
        'The Flan-T5 language model in it is licensed under Apache-2.0.\n',
    );
    expect(planSummary({ ...plan, id: 'me/mine', revision: 'v2', licence: undefined, freeBytes: undefined })).toBe(
      'me/mine at v2 (aaaaaaaaaaaa): 15.8 GB of 15.8 GB in 1 file\nLicence: not declared by the repository\n',
    );
  });

  test('cannot control the terminal', () => {
    expect(planSummary({ ...plan, licence: 'mit\u001b[2J' })).not.toContain('\u001b');
  });
});

test.each([
  ['Salesforce/blip2-opt-2.7b', 'non-commercial'],
  ['Salesforce/blip2-opt-6.7b-coco', 'non-commercial'],
  ['me/blip2-opt2.7b', 'non-commercial'],
  ['Salesforce/instructblip-vicuna-7b', 'LLaMA'],
  ['Salesforce/blip2-flan-t5-xl', 'Apache'],
  ['Salesforce/blip2-itm-vit-g', undefined],
  ['me/optimised', undefined],
  ['me/adopted-model', undefined],
])('the licence note of %s: %s', (id, named) => {
  if (named === undefined) expect(licenceNote(id)).toBeUndefined();
  else expect(licenceNote(id)).toContain(named);
});
