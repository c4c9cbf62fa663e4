import { PassThrough } from 'node:stream';

import type { DownloadPlan } from '@blip2/hub';
import { describe, expect, test } from 'vitest';

import { byteSize } from './byte-size.ts';
import { createDownloadReport, type ReportSettings } from './download-report.ts';
import { licenceNote } from './licence-note.ts';
import { planJson, planSummary, planTable } from './plan-summary.ts';

const plan: DownloadPlan = {
  id: 'Salesforce/blip2-flan-t5-xl',
  revision: 'main',
  commit: 'a'.repeat(40),
  licence: 'mit',
  folder: '/cache/x',
  totalBytes: 15_800_000_500,
  missingBytes: 15_800_000_000,
  freeBytes: 40_000_000_000,
  files: [
    { path: 'config.json', size: 500, cached: true },
    { path: 'model.safetensors', size: 15_800_000_000, cached: false },
  ],
};

/** What stderr got while a download went on, a step each second. */
function report(
  variables: Record<string, string>,
  isTTY: boolean,
  settings: Partial<ReportSettings> = {},
  columns = 80,
): string {
  const stderr = Object.assign(new PassThrough(), { isTTY, columns });
  let now = 0;
  const { onPlan, onProgress, clear } = createDownloadReport(
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
  test('says sizes and licence, and on a terminal how far it is, how fast, how long', () => {
    const text = report({}, true);
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
  ])('has no progress with %s', (_, variables, isTTY, settings) => {
    expect(report(variables, isTTY, settings)).toBe(planSummary(plan));
  });

  test('says nothing with --quiet', () => {
    expect(report({}, true, { quiet: true })).toBe('');
  });

  test('stays within a narrow terminal', () => {
    const lines = report({}, true, {}, 20).slice(planSummary(plan).length).split('\r\u001b[K');
    expect(Math.max(...lines.map((line) => line.length))).toBe(19);
  });
});

describe('planSummary', () => {
  test('names model, sizes, space and licences', () => {
    expect(planSummary(plan)).toBe(
      'Salesforce/blip2-flan-t5-xl (aaaaaaaaaaaa): 15.8 GB of 15.8 GB in 1 file; 40.0 GB are free\nLicence: mit, says the repository\nThe Flan-T5 language model inside is Apache-2.0.\n',
    );
    expect(planSummary({ ...plan, id: 'me/mine', revision: 'v2', licence: undefined, freeBytes: undefined })).toBe(
      'me/mine at v2 (aaaaaaaaaaaa): 15.8 GB of 15.8 GB in 1 file\nLicence: the repository names none\n',
    );
  });

  test('cannot steer the terminal', () => {
    expect(planSummary({ ...plan, licence: 'mit\u001b[2J' })).not.toContain('\u001b');
  });

  test('lists files', () => {
    expect(planTable(plan)).toBe('config.json            500 B  in the cache\nmodel.safetensors    15.8 GB\n');
    expect(planJson(plan)).toMatchObject({
      model: plan.id,
      licence: 'mit',
      licenceNote: expect.stringContaining('Apache'),
      missingBytes: 15_800_000_000,
    });
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
])('the licence inside %s: %s', (id, named) => {
  if (named === undefined) expect(licenceNote(id)).toBeUndefined();
  else expect(licenceNote(id)).toContain(named);
});

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1.0 kB'],
  [15_100_000_000, '15.1 GB'],
  [2e15, '2.0 PB'],
  [9e18, '9000.0 PB'],
])('%d bytes are %s', (bytes, text) => {
  expect(byteSize(bytes)).toBe(text);
});
