/** Compares all recorded texts of both InstructBLIP cases exactly. Images are covered by the tests of BLIP-2. */
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { InstructBlipProcessor } from './instructblip-processor.ts';

const cases = join(import.meta.dirname, '../../../tools/parity/cases');
const checkpoint = join(cases, 'instructblip-llama/checkpoint');

interface Entry {
  readonly name: string;
  readonly kind: string;
  readonly inputs: { readonly images?: readonly string[]; readonly text?: string | readonly string[] };
  readonly options: {
    readonly padding?: true | 'max_length';
    readonly padding_side?: 'left' | 'right';
    readonly truncation?: boolean;
    readonly max_length?: number;
    readonly add_special_tokens?: boolean;
  };
  readonly outputs: Readonly<Record<string, unknown>>;
}

describe.each(['instructblip-llama', 'instructblip-t5'])('%s', (name) => {
  test('ids and masks of every recorded call equal those of HF', async () => {
    const { entries } = JSON.parse(await readFile(join(cases, name, 'golden.json'), 'utf8')) as { entries: Entry[] };
    const processor = await InstructBlipProcessor.fromPretrained(join(cases, name, 'checkpoint'));
    const calls = entries.filter(({ kind, inputs }) => kind === 'processor' && inputs.text !== undefined);
    expect(calls.length).toBeGreaterThan(5);
    for (const {
      name: entry,
      inputs: { images, text },
      options,
      outputs,
    } of calls) {
      const {
        padding,
        padding_side: paddingSide,
        truncation,
        max_length: maxLength,
        add_special_tokens: addSpecialTokens,
      } = options;
      const given = { padding, paddingSide, truncation, maxLength, addSpecialTokens };
      const processed = await processor.process(
        { text, ...(images && { images: images.map((image) => join(cases, name, 'images', image)) }) },
        Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)),
      );
      expect({
        entry,
        input_ids: processed.inputIds,
        attention_mask: processed.attentionMask,
        qformer_input_ids: processed.qformerInputIds,
        qformer_attention_mask: processed.qformerAttentionMask,
      }).toEqual({
        entry,
        input_ids: outputs['input_ids'],
        attention_mask: outputs['attention_mask'],
        qformer_input_ids: outputs['qformer_input_ids'],
        qformer_attention_mask: outputs['qformer_attention_mask'],
      });
    }
  });
});

describe('InstructBlipProcessor', () => {
  test('processes images without text', async () => {
    const processor = await InstructBlipProcessor.fromPretrained(checkpoint);
    expect(
      Object.keys(await processor.process({ images: join(cases, 'instructblip-llama/images/square.png') })),
    ).toEqual(['pixelValues']);
  });

  test('rejects invalid inputs', async () => {
    const processor = await InstructBlipProcessor.fromPretrained(checkpoint);
    await expect(processor.process({})).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(processor.process({ text: [] })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    await expect(processor.process({ text: 'a' }, { maxLength: 4, truncation: true })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
      details: { argument: 'maxLength' },
    });
  });

  test('requires the tokenizer of the Q-Former', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'blip2-instruct-'));
    await cp(checkpoint, folder, {
      recursive: true,
      filter: (path) => !path.endsWith('qformer_tokenizer') && !path.endsWith('.safetensors'),
    });
    await expect(InstructBlipProcessor.fromPretrained(folder)).rejects.toMatchObject({ code: 'MISSING_FILE' });
    await rm(folder, { recursive: true });
  });
});
