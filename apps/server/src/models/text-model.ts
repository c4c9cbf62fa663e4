import {
  bareQuestion,
  type Blip2,
  chatPrompt,
  type ImageTasks,
  type InstructBlip,
  instructChatPrompt,
  type KeptImage,
  questionPrompt,
  type Turn,
} from '@blip2/blip2';
import { defined, type LanguageModel } from '@blip2/interfaces';
import { resizingOf } from '@blip2/processor';

import { noHeatmap, textHeatmap } from '../heatmap/model-heatmaps.ts';
import { partRunner } from './part-runner.ts';
import type { ImagePrompt, TextModel } from './served-model.ts';

/** The words that a family puts around questions. */
interface Templates {
  readonly question: (question: string) => string;
  readonly chat: (history: readonly Turn[], question: string) => string;
}

const BLIP2: Templates = { question: questionPrompt, chat: chatPrompt };
const INSTRUCT: Templates = { question: bareQuestion, chat: instructChatPrompt };

/** A BLIP-2 checkpoint with a language model, served by its tasks. */
export function blip2TextModel(blip2: Blip2): TextModel {
  const { vision, qformer, projection, language } = blip2.pipeline;
  const parts = partRunner(vision.imageSize, [
    { name: 'vision', run: (values) => vision.encode(values) },
    { name: 'qformer', run: (values) => qformer.query(values) },
    { name: 'projection', run: (values) => projection.project(values) },
  ]);
  return textModel(blip2 as ImageTasks<KeptImage>, language, BLIP2, { parts, heatmap: textHeatmap(blip2) });
}

/** An InstructBLIP checkpoint, served by its tasks. Its Q-Former needs an instruction: only the encoder runs alone. */
export function instructBlipTextModel(blip2: InstructBlip): TextModel {
  const { vision, language } = blip2.pipeline;
  const parts = partRunner(vision.imageSize, [{ name: 'vision', run: (values) => vision.encode(values) }]);
  return textModel(blip2 as ImageTasks<KeptImage>, language, INSTRUCT, { parts, heatmap: noHeatmap });
}

function textModel(
  tasks: ImageTasks<KeptImage>,
  language: LanguageModel,
  templates: Templates,
  own: Pick<TextModel, 'parts' | 'heatmap'>,
): TextModel {
  const { tokenizer, numQueryTokens } = tasks.processor;
  const promptText = ({ question, history }: ImagePrompt): string | undefined =>
    question === undefined ? undefined : toPrompt(templates, history, question);
  const countTokens = (text: string): number => tokenizer.encode(text, { escapeSpecialTokens: true }).length;
  const promptTokens = (image: KeptImage, prompt: ImagePrompt): number => {
    const text = promptText(prompt);
    return imagePositions(image, numQueryTokens) + (text === undefined ? 0 : countTokens(text));
  };

  return {
    kind: 'text',
    ...own,
    resizing: resizingOf(tasks.processor.imageProcessor),
    promptTokens,
    encode: (image, options) => tasks.encode(image, options),
    write(image, prompt, { maxNewTokens, ...options }) {
      const tokens = promptTokens(image, prompt);
      const room = language.architecture === 'causal' ? language.maxPositions - tokens : language.maxPositions;
      const limit = maxNewTokens === undefined ? undefined : Math.max(1, Math.min(maxNewTokens, room));
      const settings = { ...options, ...defined({ maxNewTokens: limit }) };
      const text = promptText(prompt);
      const stream =
        text === undefined
          ? tasks.caption(image, settings)
          : tasks.answer(image, text, { ...settings, rawPrompt: true });
      return { stream, promptTokens: tokens };
    },
    rank: (image, prompt, candidates, { signal }) =>
      tasks.rank(image, promptText(prompt) ?? '', candidates, { rawPrompt: true, signal }),
    tokenText: (id) => tasks.processor.decode([id], { skipSpecialTokens: false }),
    [Symbol.asyncDispose]: () => tasks.dispose(),
  };
}

/** A question after earlier turns. Captions at their start come first, as sentences without a question. */
function toPrompt(templates: Templates, history: readonly Turn[], question: string): string {
  if (history.length === 0) return templates.question(question);
  const first = history.findIndex((turn) => turn.question !== '');
  const captions = first < 0 ? history : history.slice(0, first);
  const turns = first < 0 ? [] : history.slice(first);
  return [...captions.map(({ answer }) => `${answer}.`), templates.chat(turns, question)].join(' ');
}

/** Positions of an image in a prompt: its query tokens. */
function imagePositions({ batch }: KeptImage, numQueryTokens: number | undefined): number {
  return 'prefix' in batch
    ? ((batch as { prefix: { dims: readonly number[] } }).prefix.dims[1] ?? 0)
    : (numQueryTokens ?? 0);
}
