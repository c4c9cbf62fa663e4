import { execFileSync, spawn } from 'node:child_process';
import { join } from 'node:path';

import { describe, expect, onTestFinished, test } from 'vitest';

import { executable, repository, spawnBlip2 } from '../fixtures/spawn-blip2.ts';

/** `script` of util-linux runs a command under a pseudo-terminal. */
const script = ((): string | undefined => {
  try {
    return execFileSync('script', ['--version'], { encoding: 'utf8' }).includes('util-linux') ? 'script' : undefined;
  } catch {
    return undefined;
  }
})();
/** Delays the completion of writes to stdout: otherwise the demo would finish before a key is pressed. */
const SLOW_TERMINAL = `data:text/javascript,${encodeURIComponent(`
const write = process.stdout.write.bind(process.stdout);
process.stdout.write = (text, done) => write(text, () => setTimeout(() => done?.(), 20));
`)}`;
const star = join(repository, 'examples/one-large-star.png');
const CTRL_C = '\u0003';
const CTRL_D = '\u0004';
const FINISHED = /\[exit (\d+)\]/;

interface Terminal {
  /** Types a line. */
  type(text: string): void;
  press(key: string): void;
  /** Waits for a match and returns the whole screen. */
  until(pattern: RegExp): Promise<string>;
  /** The chunks of output with their times in milliseconds. */
  readonly chunks: readonly { readonly text: string; readonly at: number }[];
}

/**
 * Runs a command in a pseudo-terminal, which prints the exit code at the end. Ctrl-C is also sent to the shell: without
 * the trap, some shells end before they print it.
 */
function openTerminal(...argv: string[]): Terminal {
  const quoted = [process.execPath, '--import', SLOW_TERMINAL, executable, ...argv]
    .map((word) => `'${word}'`)
    .join(' ');
  const child = spawn('script', ['-qec', `trap : INT; ${quoted}; echo "[exit $?]"`, '/dev/null'], {
    cwd: repository,
    env: { ...process.env, SHELL: '/bin/sh' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill());
  const chunks: { text: string; at: number }[] = [];
  let changed = (): void => {};
  let closed = false;
  child.once('close', () => {
    closed = true;
    changed();
  });
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    chunks.push({ text, at: performance.now() });
    changed();
  });
  return {
    chunks,
    type: (text) => void child.stdin.write(`${text}\n`),
    press: (key) => void child.stdin.write(key),
    async until(pattern) {
      for (;;) {
        const screen = chunks.map(({ text }) => text).join('');
        if (pattern.test(screen)) return screen;
        if (closed) throw new TypeError(`the terminal closed at:\n${screen}`);
        await new Promise<void>((resolve) => (changed = resolve));
      }
    },
  };
}

describe.skipIf(script === undefined)(
  `blip2 in a terminal${script === undefined ? ' (skipped: `script` of util-linux is not installed)' : ''}`,
  () => {
    test('chat shows a prompt, streams answers, and ends with its input', async () => {
      const terminal = openTerminal('chat', star);
      await terminal.until(/> $/);
      terminal.type('what color is the star?');
      const screen = await terminal.until(/yellow\r\n> $/);
      expect(screen).toMatch(/only knows drawn shapes/);
      terminal.press(CTRL_D);
      expect(FINISHED.exec(await terminal.until(FINISHED))?.[1]).toBe('0');
    });

    test('Ctrl-C stops an answer between two tokens; the conversation continues; another Ctrl-C ends it', async () => {
      const terminal = openTerminal(
        'chat',
        star,
        '--quiet',
        '--min-new-tokens',
        '80',
        '--max-new-tokens',
        '80',
        '--threads',
        '1',
      );
      await terminal.until(/> $/);
      terminal.type('what is it?');
      await terminal.until(/what is it\?\r\n\S+/);
      terminal.press(CTRL_C);
      await terminal.until(/\(stopped\)\r\n> $/);
      terminal.type('and now?');
      await terminal.until(/and now\?\r\n\S+/);
      terminal.press(CTRL_C);
      await terminal.until(/\(stopped\)[^]*\(stopped\)\r\n> $/);
      terminal.press(CTRL_C);
      expect(FINISHED.exec(await terminal.until(FINISHED))?.[1]).toBe('130');
    });

    test('an answer is streamed', async () => {
      const terminal = openTerminal(
        'chat',
        star,
        '--quiet',
        '--min-new-tokens',
        '60',
        '--max-new-tokens',
        '60',
        '--threads',
        '1',
      );
      await terminal.until(/> $/);
      const before = terminal.chunks.length;
      terminal.type('what is it?');
      await terminal.until(/\S+\r\n> $/);
      const pieces = terminal.chunks.slice(before);
      expect(pieces.length).toBeGreaterThan(10);
      expect(pieces.at(-1)!.at - pieces[1]!.at).toBeGreaterThan(20);
      terminal.press(CTRL_D);
      expect(FINISHED.exec(await terminal.until(FINISHED))?.[1]).toBe('0');
    });

    test('the caption of one image is streamed, with the same bytes as in a pipe', async () => {
      const argv = ['caption', star, '--quiet', '--min-new-tokens', '60', '--max-new-tokens', '60', '--threads', '1'];
      const terminal = openTerminal(...argv);
      const screen = await terminal.until(FINISHED);
      expect(terminal.chunks.length).toBeGreaterThan(10);
      expect(terminal.chunks.at(-1)!.at - terminal.chunks[0]!.at).toBeGreaterThan(20);
      expect(screen.replace(/\[exit 0\]\s*$/, '').replaceAll('\r\n', '\n')).toBe((await spawnBlip2(argv)).stdout);
    });

    test('Ctrl-C stops a run of captions and keeps finished ones', async () => {
      const terminal = openTerminal(
        'caption',
        join(repository, 'apps/cli/evaluation/images'),
        '--batch-size',
        '1',
        '--threads',
        '1',
        '--no-progress',
      );
      await terminal.until(/\.png\t/);
      terminal.press(CTRL_C);
      const screen = await terminal.until(FINISHED);
      expect(screen).toMatch(/Stopping at the next token[^]*Interrupted: \d+ of 200 images done/);
      expect(FINISHED.exec(screen)?.[1]).toBe('130');
    });
  },
);
