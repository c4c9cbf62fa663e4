import { mergeConfig } from 'vitest/config';

import { packageConfig } from '../tools/testing/package-config.ts';

export default mergeConfig(packageConfig(import.meta.dirname), {
  test: { name: 'repository', include: ['*.test.ts'] },
});
