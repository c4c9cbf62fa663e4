import { type EntryKind, optionsOf } from '../entry-kind.ts';

/** Preprocesses images and texts to model inputs. A single text gives one row. */
export const processorKind: EntryKind = {
  inputs: ['images', 'text'],
  options: ['padding', 'padding_side', 'truncation', 'max_length', 'add_special_tokens'],
  async run(call) {
    const { inputs, models } = call;
    const processor = await models.processor();
    const images = inputs.has('images') ? { images: await Promise.all(inputs.strings('images').map(call.image)) } : {};
    return processor.process({ ...images, ...inputs.optional('text', 'text', inputs.texts) }, optionsOf(call));
  },
};
