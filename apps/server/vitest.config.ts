import { join } from 'node:path';

import { mergeConfig } from 'vitest/config';

import { packageConfig } from '../../tools/testing/package-config.ts';

export default mergeConfig(packageConfig(import.meta.dirname), {
  test: {
    // Tests of the page wait for states, on machines that may be busy with other work.
    expect: { poll: { timeout: 120_000 } },
    testTimeout: 300_000,
    include: ['page/src/**/*.test.ts', 'page/e2e/*.test.ts'],
    globalSetup: [join(import.meta.dirname, 'page/e2e/fixtures/build-page.ts')],
  },
});
