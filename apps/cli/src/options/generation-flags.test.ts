import { generationOptions } from '@blip2/interfaces';
import { Command } from 'commander';
import { describe, expect, test } from 'vitest';

import { runFake } from '../fixtures/fake-environment.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';
import { addGenerationOptions, generationSettingsOf } from './generation-flags.ts';

function settings(...argv: string[]): unknown {
  const command = addGenerationOptions(new Command())
    .exitOverride()
    .configureOutput({ writeErr: () => {} });
  return generationSettingsOf(command.parse(argv, { from: 'user' }).opts());
}

describe('generation flags', () => {
  test('exist for every option that text can express', () => {
    const flags = addGenerationOptions(new Command()).options.map((option) => option.attributeName());
    const left = Object.keys(generationOptions).filter((name) => !flags.includes(name));
    expect(left.sort()).toEqual([
      'logitsProcessors',
      'numReturnSequences',
      'outputLogits',
      'outputScores',
      'returnPrompt',
      'signal',
      'stoppingCriteria',
      'streamer',
    ]);
  });

  test('are absent if not given, so that the library has the defaults', () => {
    expect(settings()).toEqual({});
  });

  test.each([
    [['--max-new-tokens', '5'], { maxNewTokens: 5 }],
    [['--no-repeat-ngram-size', '3'], { noRepeatNgramSize: 3 }],
    [['--length-penalty', '-1.5'], { lengthPenalty: -1.5 }],
    [['--do-sample'], { doSample: true }],
    [['--early-stopping', 'never'], { earlyStopping: 'never' }],
    [['--early-stopping', 'true'], { earlyStopping: true }],
    [['--eos-token-id', '2'], { eosTokenId: 2 }],
    [['--eos-token-id', '2,50118'], { eosTokenId: [2, 50118] }],
    [['--suppress-tokens', '1, 2'], { suppressTokens: [1, 2] }],
    [['--bad-words-ids', '[[1,2],[3]]'], { badWordsIds: [[1, 2], [3]] }],
    [['--sequence-bias', '[[[1,2],-2.5]]'], { sequenceBias: [[[1, 2], -2.5]] }],
    [['--exponential-decay-length-penalty', '5,1.1'], { exponentialDecayLengthPenalty: [5, 1.1] }],
    [['--stop-strings', 'a', '--stop-strings', 'b'], { stopStrings: ['a', 'b'] }],
  ])('%j', (argv, expected) => {
    expect(settings(...argv)).toEqual(expected);
  });

  test.each([
    ['--temperature', '0'],
    ['--temperature', ''],
    ['--top-p', '2'],
    ['--seed', '-1'],
    ['--max-new-tokens', '1.5'],
    ['--early-stopping', 'maybe'],
    ['--eos-token-id', '1,x'],
    ['--bad-words-ids', '[1]'],
    ['--bad-words-ids', '{'],
    ['--sequence-bias', '[[[1],"x"]]'],
    ['--exponential-decay-length-penalty', '5'],
    ['--suppress-tokens', '-3'],
  ])('%s rejects %s', (...argv) => {
    expect(() => settings(...argv)).toThrow(/is invalid/);
  });
});

describe('generation flags without effect', () => {
  const without = (need: string, ...flags: string[]): string =>
    `Note: no effect without ${need}: ${flags.join(', ')}\n`;
  async function notes(...argv: string[]): Promise<string> {
    const at = await temporaryFolder({ a: 'a cat' });
    // With a model, so that there is no notice about the demo.
    const { stderr, exitCode } = await runFake([argv[0] ?? '', at('a'), '-m', 'some/model', ...argv.slice(1)]);
    expect(exitCode).toBe(0);
    return stderr;
  }

  test.each([['caption'], ['ask', '-q', 'what?'], ['chat']])(
    '%s notes those of sampling in one line, and continues',
    async (...command) => {
      expect(await notes(...command, '--top-p', '0.9', '--temperature', '0.5')).toBe(
        without('--do-sample', '--temperature', '--top-p'),
      );
    },
  );

  test('are those of sampling and of beam search', async () => {
    const sampling = [
      '--temperature',
      '--top-k',
      '--top-p',
      '--min-p',
      '--typical-p',
      '--epsilon-cutoff',
      '--eta-cutoff',
    ];
    const values = sampling.flatMap((flag) => [flag, flag === '--top-k' ? '5' : '0.25']);
    expect(await notes('caption', ...values, '--length-penalty', '-1', '--early-stopping', 'never')).toBe(
      without('--do-sample', ...sampling) + without('--num-beams 2 or more', '--length-penalty', '--early-stopping'),
    );
    expect(await notes('caption', ...values, '--do-sample', '--num-beams', '2', '--length-penalty', '-1')).toBe('');
  });

  test('exclude default values and the seed, and are not noted with --quiet', async () => {
    expect(
      await notes(
        'caption',
        '--temperature',
        '1',
        '--top-k',
        '50',
        '--top-p',
        '1',
        '--length-penalty',
        '1',
        '--early-stopping',
        'false',
        '--seed',
        '1',
      ),
    ).toBe('');
    expect(await notes('caption', '--quiet', '--top-p', '0.9')).toBe('');
  });
});
