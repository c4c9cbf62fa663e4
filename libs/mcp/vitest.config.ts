import { packageConfig } from '../../tools/testing/package-config.ts';

export default packageConfig(import.meta.dirname);
