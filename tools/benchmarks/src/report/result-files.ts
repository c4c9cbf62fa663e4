import { readdirSync, readFileSync } from 'node:fs';

import type { ThreadChoice } from '@blip2/interfaces';

import type { Machine, Processors } from '../measure/machine.ts';
import type { Bandwidth } from '../measure/speed/bandwidth.ts';
import { repositoryPath } from '../repository.ts';
import type { Ranges } from './statistics.ts';

/** This library, Transformers on PyTorch, or a Llama of the same size on llama.cpp. */
export type BenchSide = 'ours' | 'pytorch' | 'llama';

/** One side at one setting: medians by name, and ranges. */
export interface BenchRow {
  readonly side: BenchSide;
  readonly setting: string;
  readonly readBytesPerToken: number;
  readonly ranges: Ranges;
  /** Threads within one operator, by phase if they differ. Absent from older results, and if onnxruntime decides. */
  readonly threads?: ThreadsUsed;
  readonly [measure: string]: BenchSide | string | number | Ranges | ThreadsUsed | undefined;
}

/** Numbers of threads of one side. */
export type ThreadsUsed = number | Partial<ThreadChoice>;

/** `bench-*.json`, written by `bench`. */
export interface BenchFile {
  /** What a reader must know about the run. */
  readonly note?: string;
  readonly shape: string;
  readonly command: string;
  readonly newTokens: number;
  readonly blocks: number;
  readonly rounds: number;
  readonly machine: Machine & Bandwidth & Partial<Processors>;
  readonly versions: Record<string, string>;
  rows: readonly BenchRow[];
}

/** `scaling-*.json`, written by `scaling`. */
export interface ScalingFile {
  readonly shape: string;
  readonly dtype: string;
  readonly captionTokens: number;
  readonly machine: Machine;
  readonly images: readonly { readonly images: number; readonly captionsPerSecond: number }[];
  readonly prompts: readonly { readonly words: number; readonly prefillMs: number }[];
  readonly newTokens: readonly { readonly newTokens: number; readonly writingMs: number }[];
  readonly threads: readonly ThreadTimes[];
}

/** Times of the steps of a caption with a number of threads. */
export interface ThreadTimes extends StepTimes {
  readonly threads: number;
}

/** Times of the steps of a caption, in milliseconds. */
export interface StepTimes {
  readonly encodeMs: number;
  readonly prefillMs: number;
  readonly captionMs: number;
}

/** `start-time.json`. */
export interface StartTimeFile {
  readonly machine: { readonly cpu: string; readonly cores: number; readonly node: string };
  readonly rows: readonly { readonly name: string; readonly medianMs: number }[];
}

/** How many of all are correct. */
export interface Share {
  readonly correct: number;
  readonly of: number;
}

/** `accuracy-*.json`. */
export interface AccuracyFile {
  readonly rows: readonly {
    readonly numBeams: number;
    readonly captions: Share;
    readonly answers: Share;
    readonly sameTokensAsReference?: { readonly captions: Share; readonly answers: Share };
  }[];
}

/** `quality.json`. */
export interface QualityFile {
  readonly rows: readonly {
    readonly checkpoint: string;
    readonly dtype: string;
    readonly captionsRight?: number;
    readonly answersRight?: number;
  }[];
}

/** `second-question.json`. */
export interface SecondQuestionFile {
  readonly rows: readonly {
    readonly architecture: string;
    readonly way: string;
    readonly question: number;
    readonly imagesEncoded: number;
    readonly positionsPrefilled: number;
  }[];
}

/** Folder of the result files, relative to the root of the repository. */
export const RESULTS_FOLDER = 'tools/benchmarks/results';

/** Names of the result files, without `.json`, in alphabetical order. */
export function resultNames(): readonly string[] {
  return readdirSync(repositoryPath(RESULTS_FOLDER))
    .filter((file) => file.endsWith('.json'))
    .map((file) => file.replace('.json', ''))
    .sort();
}

/** The content of a result file; `name` has no `.json`. */
export function readResult<T>(name: string): T {
  return JSON.parse(readFileSync(repositoryPath(`${RESULTS_FOLDER}/${name}.json`), 'utf8')) as T;
}

/** All results of `bench` by name. */
export function benchResults(): readonly (readonly [name: string, file: BenchFile])[] {
  return resultNames()
    .filter((name) => name.startsWith('bench-'))
    .map((name) => [name, readResult<BenchFile>(name)]);
}
