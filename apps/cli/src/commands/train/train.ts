import type { TrainOptions, TrainResult } from '@blip2/train';
import { type Command, Option } from 'commander';

import type { CliCommand } from '../../command.ts';
import type { Environment } from '../../environment.ts';
import { ExitCode } from '../../exit-code.ts';
import { demoModelFolder } from '../../model/demo-model.ts';
import {
  integer,
  nonNegativeNumber,
  partList,
  positiveInteger,
  positiveNumber,
} from '../../options/argument-parsers.ts';
import { addReportOptions, noProgressOption, offlineOption, threadsOption } from '../../options/common-options.ts';
import { stdoutSink } from '../../output/result-sink.ts';
import { interruptedExitCode, listenForInterrupts } from '../../run/interruption.ts';
import { type TrainCommandOptions, trainOptions } from './train-options.ts';
import { createTrainReport } from './train-report.ts';

const DATA = 'Data:';
const TRAINING = 'Training:';
const OUTPUT = 'Output:';

/** `blip2 train PAIRS -m MODEL -o FOLDER`: trains the bridge of a model, and writes a checkpoint. */
export const trainCommand: CliCommand = {
  name: 'train',
  description:
    'Train the bridge between image encoder and language model (query tokens, Q-Former, projection) on your own ' +
    'images and texts. Encoder and language model stay as they are.',
  notes: `
PAIRS is a folder of images with their captions in .txt files of the same names, a webdataset archive
(.tar of such files), or a file of JSON lines, with paths relative to the file:
  {"image": "a.jpg", "caption": "a dog"}
  {"image": "b.jpg", "question": "how many dogs are there?", "answer": "two"}

Images are encoded once and kept in the cache. FOLDER gets the trained checkpoint, and in training/ the state and the
log of the run. Ctrl-C ends a run after its current step; --resume continues it, with the result that it would have had.

Examples:
  blip2 train pairs.jsonl -o my-model
  blip2 train pairs.jsonl -o my-model --train projection --reset projection --steps 400
  blip2 train pairs.jsonl -m ./blip2-opt-2.7b --dtype int8 -o my-model --resume
  blip2 train pairs.jsonl --vision ./siglip-base-patch16-224 --reset qformer,projection -o my-model
`,
  configure(command) {
    command
      .argument('<pairs>', 'JSON lines, a folder of images with .txt files, or a .tar')
      .addOption(
        new Option('-o, --output <folder>', 'Folder of the checkpoint; it must be empty or not exist')
          .makeOptionMandatory()
          .helpGroup(OUTPUT),
      )
      .addOption(
        new Option(
          '-m, --model <model>',
          'Model whose bridge is trained, a folder or a hub id (default: the built-in demo)',
        ).helpGroup('Model:'),
      )
      .addOption(new Option('--vision <model>', 'Another vision encoder, of any family').helpGroup('Model:'))
      .addOption(
        new Option('--language <model>', 'Another language model, of any family, with its tokenizer').helpGroup(
          'Model:',
        ),
      )
      .addOption(new Option('--processor <model>', 'Another tokenizer').helpGroup('Model:'))
      .addOption(
        new Option('--dtype <precision>', 'Precisions: fp32 (default), int8, q8, q4; of the language model').helpGroup(
          'Model:',
        ),
      )
      .addOption(threadsOption().helpGroup('Model:'))
      .addOption(offlineOption().helpGroup('Model:'))
      .addOption(
        new Option('--train <parts>', 'Parts to train: query_tokens, qformer, projection (default: all)')
          .argParser(partList)
          .helpGroup(TRAINING),
      )
      .addOption(
        new Option('--reset <parts>', 'Parts that start from random weights (default: none)')
          .argParser(partList)
          .helpGroup(TRAINING),
      )
      .addOption(
        new Option('--steps <n>', 'Steps (default: 20 epochs, 500 to 3000)')
          .argParser(positiveInteger)
          .helpGroup(TRAINING),
      )
      .addOption(
        new Option('--seed <n>', 'Seed of random weights and of the order (default: 0)')
          .argParser(integer)
          .helpGroup(TRAINING),
      )
      .addOption(
        new Option('--batch-size <n>', 'Examples per step (default: 64)')
          .argParser(positiveInteger)
          .helpGroup(TRAINING),
      )
      .addOption(
        new Option('--micro-batch <n>', 'Examples that go through the model together (default: 16)')
          .argParser(positiveInteger)
          .helpGroup(TRAINING),
      )
      .addOption(
        new Option('--learning-rate <x>', 'Highest learning rate (default: 0.0768 / width of the Q-Former)')
          .argParser(positiveNumber)
          .helpGroup(TRAINING),
      )
      .addOption(
        new Option('--warmup-steps <n>', 'Steps in which it rises (default: 5 % of all)')
          .argParser(integer)
          .helpGroup(TRAINING),
      )
      .addOption(
        new Option('--weight-decay <x>', 'Weight decay of matrices (default: 0.05)')
          .argParser(nonNegativeNumber)
          .helpGroup(TRAINING),
      )
      .addOption(
        new Option(
          '--validation <pairs>',
          'Examples whose texts are generated now and then; the best weights win',
        ).helpGroup(DATA),
      )
      .addOption(
        new Option('--validate-every <steps>', 'Steps between two validations (default: a tenth of all)')
          .argParser(positiveInteger)
          .helpGroup(DATA),
      )
      .addOption(
        new Option('--patience <n>', 'End after n validations without a better one')
          .argParser(positiveInteger)
          .helpGroup(DATA),
      )
      .addOption(new Option('--skip-bad', 'Train without the examples that cannot be used').helpGroup(DATA))
      .addOption(new Option('--features <folder>', 'Folder of encoded images (default: in the cache)').helpGroup(DATA))
      .addOption(
        new Option('--save-every <seconds>', 'Time between two saves of the state (default: 60)')
          .argParser(nonNegativeNumber)
          .helpGroup(OUTPUT),
      )
      .addOption(new Option('--resume', 'Continue the run in the folder').helpGroup(OUTPUT))
      .addOption(new Option('--restart', 'Replace the run in the folder').helpGroup(OUTPUT));
    addReportOptions(command).addOption(noProgressOption());
  },
  async run(command: Command, environment: Environment) {
    const options = command.opts<TrainCommandOptions>();
    const [pairs = ''] = command.args;
    using interruption = listenForInterrupts(environment, true);
    const report = createTrainReport(environment, options);
    const settings: TrainOptions = {
      ...trainOptions(pairs, options, demoModelFolder),
      signal: interruption.signal,
      onFeatures: report.onFeatures,
      onStart: report.onStart,
      onStep: report.onStep,
      onValidation: report.onValidation,
    };
    const result: TrainResult = await environment.train(settings).finally(report.clear);
    await report.finished();
    if (result.status === 'interrupted') {
      report.note(`Stopped after step ${result.step} of ${result.steps}; --resume continues the run.\n`);
      return interruptedExitCode(environment);
    }
    await stdoutSink(environment.stdout).write(
      options.json === true
        ? `${JSON.stringify({ output: options.output, step: result.step, loss: result.loss ?? null })}\n`
        : `${options.output}\n`,
    );
    return ExitCode.done;
  },
};
