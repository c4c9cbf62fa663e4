import { mergeConfig } from 'vitest/config';

import { packageConfig } from '../vitest.shared.ts';

export default mergeConfig(packageConfig(import.meta.dirname), {
  test: { name: 'repository', include: ['*.test.ts'], globalSetup: './build-all.ts' },
});
