import { Blip2Error, type RgbImage } from '@blip2/interfaces';
import type { Command } from 'commander';

import type { CliCommand } from '../../command.ts';
import type { Environment } from '../../environment.ts';
import { ExitCode } from '../../exit-code.ts';
import { expandImages } from '../../images/expand-images.ts';
import { generationKind, openModel } from '../../model/open-model.ts';
import {
  addModelOptions,
  addReportOptions,
  addUrlOptions,
  type ModelOptions,
  type ReportOptions,
  type UrlOptions,
} from '../../options/common-options.ts';
import { addGenerationOptions, generationSettingsOf, noteIneffective } from '../../options/generation-flags.ts';
import { addModuleOption } from '../../options/module-option.ts';
import { type ChatInterrupts, listenForChatInterrupts } from './chat-interrupts.ts';
import { createLineReader } from './line-reader.ts';
import { writeAnswer } from './write-answer.ts';

type ChatOptions = ModelOptions & ReportOptions & UrlOptions;

/** A line that is no question: what has been said is forgotten. */
const CLEAR = '/clear';

/** `blip2 chat IMAGE`: questions from stdin, a line each; answers as they are written. */
export const chatCommand: CliCommand = {
  name: 'chat',
  configure(command) {
    command
      .description(
        'A conversation about an image: a question per line of stdin, answers as they are written. Ctrl-C stops an answer, and ends the conversation where there is none to stop; the line /clear begins a new one.',
      )
      .argument('<image>', 'File or URL');
    addUrlOptions(command);
    addReportOptions(command);
    addModelOptions(command);
    addModuleOption(command);
    addGenerationOptions(command);
    command.addHelpText('after', EXAMPLES);
  },
  async run(command: Command, environment: Environment): Promise<ExitCode> {
    const options = command.opts<ChatOptions>();
    noteIneffective(options, environment);
    using interrupts = listenForChatInterrupts(environment);
    const { name, image } = await openImage(command.args, options, environment, interrupts.signal);
    await using model = await openModel(generationKind, options, environment, interrupts.signal);
    await using conversation = await model.chat(image, {
      generation: generationSettingsOf(options),
      signal: interrupts.signal,
    });
    const isTerminal = environment.stdin.isTTY === true;
    using lines = createLineReader(
      environment.stdin,
      interrupts.signal,
      () => void (isTerminal && environment.stderr.write('> ')),
    );
    const { json = false, quiet = false, verbose = false } = options;
    let refused = 0;
    for await (const line of lines) {
      const question = line.trim();
      if (question === CLEAR) conversation.clear();
      else if (
        question !== '' &&
        !(await answerOne({ name, question, conversation, json, quiet, verbose, environment, interrupts }))
      )
        refused += 1;
    }
    if (isTerminal) environment.stderr.write('\n');
    if (interrupts.signal.aborted) return ExitCode.interrupted;
    return refused > 0 ? ExitCode.someInputsFailed : ExitCode.done;
  },
};

type Answering = Parameters<typeof writeAnswer>[0] & { readonly interrupts: ChatInterrupts };

async function answerOne({ interrupts, ...answering }: Answering): Promise<boolean> {
  using answer = interrupts.beginAnswer();
  return await writeAnswer(answering, answer.signal);
}

async function openImage(
  args: readonly string[],
  { allowPrivateUrls }: ChatOptions,
  environment: Environment,
  signal: AbortSignal,
): Promise<{ readonly name: string; readonly image: RgbImage }> {
  const [input, ...others] = args.includes('-')
    ? []
    : await expandImages(args, { recursive: false, signal }, environment);
  if (!input || others.length > 0)
    throw new Blip2Error('INVALID_ARGUMENT', 'A conversation is about one image', {
      expected: 'one file or URL',
      got: args.join(' '),
    });
  if ('error' in input) throw input.error;
  if (input.source === 'stdin')
    throw new Blip2Error('INVALID_ARGUMENT', 'Questions come from stdin', { got: input.name });
  return { name: input.name, image: (await environment.openImage(input.source, { signal, allowPrivateUrls })).image };
}

const EXAMPLES = `
Examples:
  blip2 chat photo.jpg
  printf 'what is it?\\nwhat colour is it?\\n' | blip2 chat photo.jpg --json
`;
