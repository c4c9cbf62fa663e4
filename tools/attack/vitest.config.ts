import { packageConfig } from '../testing/package-config.ts';

export default packageConfig(import.meta.dirname);
