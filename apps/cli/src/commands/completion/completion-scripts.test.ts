import { spawnSync } from 'node:child_process';
import { mkdir, readdir, writeFile } from 'node:fs/promises';

import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';

import { temporaryFolder } from '../../fixtures/temporary-folder.ts';
import { processEnvironment } from '../../process-environment.ts';
import { createProgram } from '../../program.ts';
import { bashScript } from './bash-script.ts';
import { completionTree } from './completion-tree.ts';
import { fishScript } from './fish-script.ts';
import { zshScript } from './zsh-script.ts';

const program = createProgram(processEnvironment, () => {});
const tree = completionTree(program);
const scripts = { bash: bashScript(tree), zsh: zshScript(tree), fish: fishScript(tree) };

/** Read off commander itself, not off the tree that is tested. */
const flagsOf = (command: Command): string[] => [
  ...command.options.flatMap(({ short, long }) => [short, long].filter((flag) => flag !== undefined)),
  '-h',
  '--help',
];

/** What bash offers for the last of `words`, in a folder and with a cache of the hub. */
function complete(words: readonly string[], { folder = '.', hub = '/nowhere' } = {}): string[] {
  const line = `COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _blip2; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', `${scripts.bash}${line}`, 'bash', 'blip2', ...words], {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, HF_HUB_CACHE: hub },
  });
  expect(stderr).toBe('');
  return stdout
    .split('\n')
    .filter((text) => text !== '')
    .sort();
}

describe('every command and every option', () => {
  test('is offered by bash, and nothing else', () => {
    for (const command of program.commands) {
      const flags = flagsOf(command);
      expect([command.name(), complete([command.name(), '--'])]).toEqual([
        command.name(),
        flags.filter((flag) => flag.startsWith('--')).sort(),
      ]);
      for (const flag of flags) expect(complete([command.name(), flag])).toContain(flag);
    }
    expect(complete([''])).toEqual([...program.commands.map((command) => command.name()), 'help'].sort());
    expect(complete(['--'])).toEqual(['--help', '--version']);
  });

  test('is in the zsh script, in the section of its command', () => {
    for (const command of program.commands) {
      const part = scripts.zsh.split(`    rest/${command.name()})\n`)[1]?.split('\n      ;;')[0] ?? '';
      for (const flag of flagsOf(command))
        expect([command.name(), part.includes(`'*${flag}[`) || part.includes(`'*${flag}=[`)]).toEqual([
          command.name(),
          true,
        ]);
      expect(scripts.zsh).toContain(`    '${command.name()}:`);
    }
  });

  test('is in the fish script, under its command', () => {
    const lines = scripts.fish.split('\n');
    for (const command of program.commands) {
      const own = lines.filter((line) => line.includes(`-n '__fish_seen_subcommand_from ${command.name()}' `));
      for (const flag of flagsOf(command))
        expect([
          command.name(),
          flag,
          own.some((line) => line.includes(flag.startsWith('--') ? ` -l ${flag.slice(2)} ` : ` -s ${flag.slice(1)} `)),
        ]).toEqual([command.name(), flag, true]);
      expect(lines.some((line) => line.includes(`-n __fish_use_subcommand -a ${command.name()} -d`))).toBe(true);
    }
  });
});

describe('values that commander does not check', () => {
  test('are those in the help', () => {
    const dtypes = program.commands.flatMap((command) =>
      command.options
        .filter(({ long }) => long === '--dtype')
        .map(({ description }) => ({ name: command.name(), description })),
    );
    expect(dtypes.length).toBeGreaterThan(1);
    for (const { name, description } of dtypes)
      expect(complete([name, '--dtype', ''])).toEqual(
        description
          .replace(/ \(default\)|^Precisions: |;.*$/g, '')
          .split(', ')
          .sort(),
      );
    const action =
      program.commands.find((command) => command.name() === 'cache')?.registeredArguments[0]?.description ?? '';
    expect(complete(['cache', ''])).toEqual(action.split(/, | or /).sort());
  });
});

describe('bash', () => {
  test('accepts the script', () => {
    expect(spawnSync('bash', ['-n'], { input: scripts.bash, encoding: 'utf8' })).toMatchObject({
      status: 0,
      stderr: '',
    });
  });

  test.each([
    [['cap'], ['caption']],
    [['help', 'em'], ['embed']],
    [
      ['completion', ''],
      ['bash', 'fish', 'zsh'],
    ],
    [
      ['embed', '--pool', 'm'],
      ['max', 'mean'],
    ],
    [
      ['embed', '--pool', '='],
      ['first', 'max', 'mean', 'none', 'unit-mean'],
    ],
    [['embed', '--part', '=', 'vis'], ['vision']],
    [['caption', '--threads', ''], []],
    [['ask', 'a.png', '-q', ''], []],
    [['nosuch', ''], []],
  ])('completes %j', (words, expected) => {
    expect(complete(words)).toEqual(expected);
  });

  test('offers images, folders and lists, other files if there is no image, every file for an output', async () => {
    const at = await temporaryFolder({ 'a.png': '', 'b c.JPG': '', 'notes.txt': '' });
    await mkdir(at('sub'));
    const folder = at('');
    for (const words of [
      ['caption', ''],
      ['caption', 'a.png', ''],
      ['compare', 'model', ''],
      ['compare', '--dtype', 'fp32,q4', '--offline', 'model', 'a.png', ''],
    ])
      expect(complete(words, { folder })).toEqual(['a.png', 'b c.JPG', 'sub']);
    for (const begun of ['b\\ ', '"b ', "'b "]) expect(complete(['caption', begun], { folder })).toEqual(['b c.JPG']);
    expect(complete(['caption', 'no'], { folder })).toEqual(['notes.txt']);
    for (const words of [
      ['caption', '@no'],
      ['caption', '@', 'no'],
      ['compare', 'model', '@', 'no'],
    ])
      expect(complete(words, { folder })).toEqual(['@notes.txt ']);
    expect(complete(['caption', '@', 's'], { folder })).toEqual(['@sub/']);
    expect(complete(['caption', '@b'], { folder })).toEqual(['@b\\ c.JPG ']);
    expect(complete(['caption', '-o', ''], { folder })).toEqual(['a.png', 'b c.JPG', 'notes.txt', 'sub']);
    expect(complete(['download', '--cache-dir', ''], { folder })).toEqual(['sub']);
  });

  test('offers cached models and folders, and never runs code in a name', async () => {
    const at = await temporaryFolder({ 'a.png': '' });
    const hub = at('hub');
    for (const name of [
      'models--Salesforce--blip2-flan-t5-xl',
      'models--x--$(touch run)',
      'models--x--a;b',
      'datasets--x--y',
    ])
      await mkdir(`${hub}/${name}`, { recursive: true });
    await writeFile(`${hub}/models--x--file`, '');
    for (const words of [
      ['caption', '-m', ''],
      ['compare', ''],
      ['cache', 'rm', ''],
    ])
      expect(complete(words, { folder: at(''), hub })).toEqual(['Salesforce/blip2-flan-t5-xl', 'hub']);
    expect(complete(['caption', '--model', '=', 'Sal'], { folder: at(''), hub })).toEqual([
      'Salesforce/blip2-flan-t5-xl',
    ]);
    expect(await readdir(at(''))).toEqual(['a.png', 'hub']);
  });
});

/** Shells that need not be on every machine. Their tests exist where they are. */
const installed = (['zsh', 'fish'] as const).filter((shell) => spawnSync(shell, ['--version']).status === 0);
for (const shell of installed) {
  describe(`${shell}, which is installed here`, () => {
    test('accepts the script', async () => {
      const at = await temporaryFolder({ script: scripts[shell] });
      const { status, stderr } = spawnSync(shell, ['-n', at('script')], { encoding: 'utf8' });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    });
  });
}
