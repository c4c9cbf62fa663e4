import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { startHubServer } from '@blip2/testing';

import type { KillScenario } from './kill-scenario.ts';

const ID = 'owner/model';
const WEIGHT_BYTES = 2_000_000;
/** Slow enough that most kills happen while bytes arrive. */
const PACE = { bytes: 32_768, pause: 5 };

function safetensors(bytes: number): Uint8Array {
  const header = Buffer.from(JSON.stringify({ x: { dtype: 'U8', shape: [bytes], data_offsets: [0, bytes] } }));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.byteLength));
  return Buffer.concat([length, header, Buffer.alloc(bytes, 'blip2')]);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** A download from the test server into an empty cache. */
export const downloadScenario: KillScenario = {
  name: 'download',
  promise: 'After kills a download is complete, each file has its checksum, and no partial file stays.',
  open: async () => {
    const files = {
      'config.json': '{"model_type":"blip-2"}',
      'preprocessor_config.json': '{}',
      'tokenizer.json': '{}',
      'model.safetensors': safetensors(WEIGHT_BYTES),
    };
    const server = await startHubServer({ repositories: { [ID]: { files } }, pace: PACE });
    const folder = await mkdtemp(join(tmpdir(), 'blip2-kills-'));
    const cache = join(folder, 'hub');
    return {
      command: [process.execPath, join(import.meta.dirname, 'download-job.js'), ID],
      env: { HF_ENDPOINT: server.endpoint, HF_HUB_CACHE: cache },
      reset: () => rm(cache, { recursive: true, force: true }),
      verify: async () => {
        const names = await readdir(cache, { recursive: true, withFileTypes: true });
        const left = names.find(({ name }) => /incomplete|tmp|partial/.test(name));
        if (left) return `${left.name} was left over`;
        const snapshots = join(cache, `models--${ID.replace('/', '--')}`, 'snapshots');
        const [commit = ''] = await readdir(snapshots);
        for (const [name, content] of Object.entries(files)) {
          const got = await readFile(join(snapshots, commit, name)).catch(() => undefined);
          if (!got || sha256(got) !== sha256(Buffer.from(content))) return `${name} differs`;
        }
        return undefined;
      },
      [Symbol.asyncDispose]: async () => {
        await server.close();
        await rm(folder, { recursive: true, force: true });
      },
    };
  },
};
