import { join } from 'node:path';

import { Blip2Config, readConfig } from '@blip2/config';
import { decodeImage } from '@blip2/processor';
import { expect, test } from 'vitest';

import { copyDamaged } from '../../fixtures/damaged-model.ts';
import { repository } from '../../fixtures/spawn-blip2.ts';
import { temporaryFolder } from '../../fixtures/temporary-folder.ts';
import { demoModelFolder } from '../../model/demo-model.ts';
import { type ImageRun, runPrecision } from './precision-run.ts';

test('logits for the caption of the first precision must be finite, even if the own caption is', async () => {
  const at = await temporaryFolder();
  const { numQueryTokens, textConfig } = Blip2Config.fromJson(await readConfig(demoModelFolder));
  // OPT's table has 2 rows before position 0. The image and the start token are followed by tokens 0 and 1.
  const row = 2 + numQueryTokens + 1 + 1;
  const tensor = 'language_model.model.decoder.embed_positions.weight';
  await copyDamaged(demoModelFolder, at('model'), tensor, row * textConfig.hiddenSize);
  const first: ImageRun = { text: '', tokenIds: [5, 6, 7], encodeMs: 0, generateMs: 0, logits: [] };
  const images = [await decodeImage(join(repository, 'examples/left-of.png'))];
  const settings = {
    load: { threads: 1, convertedDir: at('converted') },
    maxNewTokens: 1,
    signal: new AbortController().signal,
  };
  await expect(runPrecision(at('model'), images, settings)).resolves.toBeDefined();
  await expect(runPrecision(at('model'), images, settings, [first])).rejects.toMatchObject({
    code: 'NOT_FINITE',
    details: { subject: 'language model' },
  });
});
