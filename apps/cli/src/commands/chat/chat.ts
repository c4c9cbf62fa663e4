import { mustBe, type RgbImage } from '@blip2/interfaces';
import type { Command } from 'commander';

import type { CliCommand } from '../../command.ts';
import type { Environment } from '../../environment.ts';
import { ExitCode } from '../../exit-code.ts';
import { expandImages } from '../../images/expand-images.ts';
import { generationKind } from '../../model/model-kinds.ts';
import { openModel } from '../../model/open-model.ts';
import {
  addModelOptions,
  addModuleOption,
  addReportOptions,
  addUrlOptions,
  type ModelOptions,
  type ReportOptions,
  type UrlOptions,
} from '../../options/common-options.ts';
import { addGenerationOptions, generationSettingsOf, noteIneffective } from '../../options/generation-flags.ts';
import { type ChatInterrupts, listenForChatInterrupts } from './chat-interrupts.ts';
import { createLineReader } from './line-reader.ts';
import { writeAnswer } from './write-answer.ts';

type ChatOptions = ModelOptions & ReportOptions & UrlOptions;

/** A line that is not a question: it deletes the history. */
const CLEAR = '/clear';

/** `blip2 chat IMAGE`: reads one question per line of stdin and streams the answers. */
export const chatCommand: CliCommand = {
  name: 'chat',
  description:
    'Hold a conversation about an image: one question per line of stdin, streamed answers. ' +
    'Ctrl-C stops an answer, or ends the conversation if no answer is in progress. ' +
    'The line /clear starts a new conversation.',
  notes: `
Examples:
  blip2 chat photo.jpg
  printf 'what is it?\\nwhat colour is it?\\n' | blip2 chat photo.jpg --json
`,
  configure(command) {
    command.argument('<image>', 'File or URL');
    addUrlOptions(command);
    addReportOptions(command);
    addModelOptions(command);
    addModuleOption(command);
    addGenerationOptions(command);
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
    const prompt = (): void => void (isTerminal && environment.stderr.write('> '));
    using lines = createLineReader(environment.stdin, interrupts.signal, prompt);
    const { json = false, quiet = false, verbose = false } = options;
    const answering = { name, conversation, json, quiet, verbose, environment };
    let refused = 0;
    for await (const line of lines) {
      const question = line.trim();
      if (question === CLEAR) conversation.clear();
      else if (question !== '' && !(await answerOne({ ...answering, question }, interrupts))) refused++;
    }
    if (isTerminal) environment.stderr.write('\n');
    if (interrupts.signal.aborted) return ExitCode.interrupted;
    return refused > 0 ? ExitCode.someInputsFailed : ExitCode.done;
  },
};

async function answerOne(task: Parameters<typeof writeAnswer>[0], interrupts: ChatInterrupts): Promise<boolean> {
  using answer = interrupts.beginAnswer();
  return await writeAnswer(task, answer.signal);
}

async function openImage(
  args: readonly string[],
  { allowPrivateUrls, quiet }: ChatOptions,
  environment: Environment,
  signal: AbortSignal,
): Promise<{ readonly name: string; readonly image: RgbImage }> {
  if (args.includes('-')) throw mustBe('IMAGE', 'a file or URL', args.join(' '), { fix: 'stdin is for the questions' });
  const [input, ...others] = await expandImages(args, { recursive: false, quiet, signal }, environment);
  if (!input || others.length > 0) throw mustBe('IMAGE', 'one file or URL', args.join(' '));
  if ('error' in input) throw input.error;
  if (input.source === 'stdin') throw mustBe('IMAGE', 'a file or URL', input.name);
  return { name: input.name, image: (await environment.openImage(input.source, { signal, allowPrivateUrls })).image };
}
