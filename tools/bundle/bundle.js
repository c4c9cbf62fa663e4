/** `npm run bundle`: bundles the compiled modules of every published package. See `bundle-packages.js`. */
import { join } from 'node:path';

import { bundlePackages } from './bundle-packages.js';

const [root = join(import.meta.dirname, '../..')] = process.argv.slice(2);
await bundlePackages(root);
