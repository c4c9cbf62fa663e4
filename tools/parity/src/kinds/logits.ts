import { createLogitsProcessors } from '@blip2/generate';
import { Blip2Error, type GenerationOptions, type LogitsProcessor, type Tensor } from '@blip2/interfaces';

import { snakeCase } from '../camel-case.ts';
import type { EntryInputs } from '../entry-inputs.ts';
import { type EntryKind, optionsOf } from '../entry-kind.ts';
import { asNumber } from '../json-shape.ts';
import { GENERATION_OPTIONS } from './generation-options.ts';
import { PROCESSOR_CLASSES } from './logits-processors.ts';

/** A single logits processor, named by its class in Transformers. */
export const logitsProcessorKind: EntryKind = {
  inputs: ['input_ids', 'scores'],
  options: ['class', ...new Set(PROCESSOR_CLASSES.flatMap((known) => known.arguments.map(snakeCase)))],
  async run({ inputs, options: { class: className, ...args } }) {
    const known = PROCESSOR_CLASSES.find((each) => each.className === className);
    if (!known) throw new Blip2Error('UNKNOWN_OPTION', 'The logits processor is unknown', { got: String(className) });
    const unknown = Object.keys(args).filter((name) => !known.arguments.includes(name));
    if (unknown.length > 0)
      throw new Blip2Error('UNKNOWN_OPTION', `${known.className} has no such argument`, { got: unknown.join(', ') });
    return { scores: process(inputs, [known.create(args)]) };
  },
};

/** All logits processors that a set of generation options enables, in order. */
export const logitsPipelineKind: EntryKind = {
  inputs: ['input_ids', 'scores'],
  options: [...GENERATION_OPTIONS, 'prompt_length'],
  async run({ inputs, options: { promptLength, ...options } }) {
    const processors = createLogitsProcessors(optionsOf<GenerationOptions>({ options }), {
      promptLength: asNumber(promptLength, 'prompt_length'),
    });
    return {
      scores: process(
        inputs,
        processors.map((processor) => processor.process),
      ),
      classes: processors.map(({ name }) => PROCESSOR_CLASSES.find(({ option }) => option === name)?.className ?? name),
    };
  },
};

/** Processes a copy of the logits `[rows, vocabulary]` row by row. */
function process(inputs: EntryInputs, processors: readonly LogitsProcessor[]): Tensor<'float32'> {
  const given = inputs.matrix('scores');
  const scores = { ...given, data: given.data.slice() };
  const vocabulary = given.dims[1];
  inputs.rows('input_ids').forEach((ids, row) => {
    for (const rewrite of processors) rewrite(ids, scores.data.subarray(row * vocabulary, (row + 1) * vocabulary));
  });
  return scores;
}
