import { expect, test } from 'vitest';

import { downloadPlan } from '../../hub/fixtures/download-plan.ts';
import { planJson, planTable } from './plan-table.ts';

test('lists every file with its size', () => {
  expect(planTable(downloadPlan)).toBe('config.json            500 B  in the cache\nmodel.safetensors    15.8 GB\n');
});

test('the JSON object has licences and sizes', () => {
  expect(planJson(downloadPlan)).toMatchObject({
    model: downloadPlan.id,
    licence: 'mit',
    licenceNote: expect.stringContaining('Apache'),
    missingBytes: 15_800_000_000,
  });
});
