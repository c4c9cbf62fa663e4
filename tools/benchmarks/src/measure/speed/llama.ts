import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

import { Blip2Error, mustBe } from '@blip2/interfaces';
import { explainThreads } from '@blip2/runtime';

import { repositoryPath } from '../../repository.ts';

/** The parts of `node-llama-cpp` 3 that are used here. */
interface LlamaModule {
  getLlama(options: { readonly gpu: false; readonly build: 'never' }): Promise<Llama>;
}
interface Llama {
  loadModel(options: { readonly modelPath: string }): Promise<LlamaModel>;
}
interface LlamaModel {
  createContext(options: {
    readonly contextSize: number;
    readonly sequences: number;
    readonly threads: number;
  }): Promise<LlamaContext>;
}
interface LlamaContext {
  readonly currentThreads: number;
  getSequence(): LlamaSequence;
}
interface LlamaSequence {
  evaluate(tokens: readonly number[], options: { readonly temperature: number }): AsyncGenerator<number>;
  clearHistory(): Promise<void>;
}

const CONTEXT_SIZE = 512;
/** Positions of the prompt of a caption: one per query token, and one of text. */
const PROMPT = 33;
const FIRST_WORD = 20;

/**
 * `llama.js FILE ROUNDS NEW_TOKENS [THREADS]`: times the prompt and the tokens of a GGUF file with llama.cpp, and
 * prints one line of JSON. Needs `node-llama-cpp`, which users install, in this repository or in the folder
 * `BLIP2_BENCH_LLAMA`. THREADS is by default the number of processors that this process may use: llama.cpp's own
 * default may be larger, and its threads wait for each other without sleeping.
 */
export async function command([file, rounds = '3', newTokens = '10', threads]: readonly string[]): Promise<void> {
  if (file === undefined) throw mustBe('the first argument', 'a GGUF file', file);
  const { module, version } = await loadLlama();
  const { usable } = await explainThreads({ weightBytes: () => 0 });
  const granted = Math.ceil(Math.min(usable.processors, usable.quota ?? Infinity));
  const started = performance.now();
  const llama = await module.getLlama({ gpu: false, build: 'never' });
  const model = await llama.loadModel({ modelPath: resolve(file) });
  const context = await model.createContext({
    contextSize: CONTEXT_SIZE,
    sequences: 1,
    threads: threads === undefined ? granted : Number(threads),
  });
  const loadMs = performance.now() - started;
  const sequence = context.getSequence();
  const samples: Record<'prefillMs' | 'firstTokenMs' | 'tokenMs', number[]> = {
    prefillMs: [],
    firstTokenMs: [],
    tokenMs: [],
  };
  for (let round = 0; round <= Number(rounds); round++) {
    const { prefillMs, tokenMs } = await timeText(sequence, Number(newTokens));
    // The first round is the warm-up.
    if (round === 0) continue;
    samples.prefillMs.push(prefillMs);
    samples.firstTokenMs.push(...tokenMs.slice(0, 1));
    samples.tokenMs.push(...tokenMs);
  }
  const result = {
    samples: { ...samples, loadMs: [loadMs] },
    threads: context.currentThreads,
    versions: { 'node-llama-cpp': version },
  };
  console.log(JSON.stringify(result));
  // Its threads would keep the process alive.
  process.exit();
}

async function timeText(
  sequence: LlamaSequence,
  newTokens: number,
): Promise<{ readonly prefillMs: number; readonly tokenMs: readonly number[] }> {
  await sequence.clearHistory();
  const prompt = Array.from({ length: PROMPT }, (_, position) => FIRST_WORD + position);
  let at = performance.now();
  const lap = (): number => -at + (at = performance.now());
  const tokens = sequence.evaluate(prompt, { temperature: 0 });
  await tokens.next();
  const prefillMs = lap();
  const tokenMs: number[] = [];
  for (let token = 1; token < newTokens; token++) {
    const { done } = await tokens.next();
    if (done === true)
      throw new Blip2Error('INVALID_STATE', 'llama.cpp generated the end of the text', { got: String(token) });
    tokenMs.push(lap());
  }
  await tokens.return(undefined);
  return { prefillMs, tokenMs };
}

/** Installed by the user, so that it is no dependency of this package. */
const PACKAGE = 'node-llama-cpp';

async function loadLlama(): Promise<{ readonly module: LlamaModule; readonly version: string }> {
  const folder = process.env['BLIP2_BENCH_LLAMA'] ?? repositoryPath('.');
  const require = createRequire(join(resolve(folder), 'package.json'));
  try {
    const entry = require.resolve(PACKAGE);
    const { version } = require(join(dirname(entry), '../package.json')) as { readonly version: string };
    const module = (await import(pathToFileURL(entry).href)) as LlamaModule;
    return { module, version };
  } catch (cause) {
    throw new Blip2Error('MISSING_FILE', 'node-llama-cpp is not installed', {
      where: folder,
      fix: 'Run npm install --no-save node-llama-cpp, or set BLIP2_BENCH_LLAMA to a folder in which it is installed',
      cause,
    });
  }
}
