import type { TextTokenizer } from '@blip2/interfaces';

import { type EntryCall, type EntryKind, optionsOf } from '../entry-kind.ts';

/** Tokenizes each text separately. */
export const tokenizerEncodeKind: EntryKind = {
  inputs: ['tokenizer', 'texts'],
  options: ['add_special_tokens'],
  async run(call) {
    const tokenizer = await tokenizerOf(call);
    return { inputIds: call.inputs.strings('texts').map((text) => tokenizer.encode(text, optionsOf(call))) };
  },
};

/** Decodes each row of ids separately. */
export const tokenizerDecodeKind: EntryKind = {
  inputs: ['tokenizer', 'ids'],
  options: ['skip_special_tokens'],
  async run(call) {
    const tokenizer = await tokenizerOf(call);
    return { texts: call.inputs.rows('ids').map((ids) => tokenizer.decode(ids, optionsOf(call))) };
  },
};

function tokenizerOf({ models, inputs }: EntryCall): Promise<TextTokenizer> {
  return models.tokenizer(inputs.string('tokenizer'));
}
