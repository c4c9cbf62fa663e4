import { readFileSync } from 'node:fs';

import { repositoryPath } from '../../repository.ts';

/** A drawn object; `x`, `y` and the radius `r` are in units of a canvas of 64 x 64. */
export interface SceneObject {
  readonly size: string;
  readonly color: string;
  readonly shape: string;
  readonly x: number;
  readonly y: number;
  readonly r: number;
}

/** An evaluation scene: an image of drawn shapes and what is true about it. */
export interface Scene {
  /** Path relative to `apps/cli/evaluation`. */
  readonly image: string;
  readonly caption: string;
  /** The caption with one wrong detail. */
  readonly false_caption: string;
  readonly objects: readonly SceneObject[];
  readonly questions: readonly { readonly question: string; readonly answer: string }[];
}

/** Outputs of Transformers for a scene: token ids of both demo models, and ITM logits. */
export interface Expected {
  readonly opt: ExpectedTexts;
  readonly t5: ExpectedTexts;
  readonly itm: Readonly<Record<'true' | 'false', { readonly logits: readonly [no: number, yes: number] }>>;
}

interface ExpectedTexts {
  readonly caption: { readonly ids: readonly number[] };
  readonly questions: readonly { readonly ids: readonly number[] }[];
}

/** A demo model that generates text. */
export type DemoKind = 'opt' | 't5';

/** The length limit with which the expected tokens were recorded. */
export const RECORDED_LENGTH = { maxNewTokens: 32 } as const;

/** The evaluation scenes, or the first `limit` of them. */
export function readScenes(limit: number = Infinity): readonly Scene[] {
  return readLines<Scene>('scenes.jsonl').slice(0, limit);
}

/** The expected outputs of all scenes, in the same order. */
export function readExpected(): readonly Expected[] {
  return readLines<Expected>('expected.jsonl');
}

/** Absolute path of a scene's image. */
export function imagePath({ image }: Scene): string {
  return repositoryPath(`apps/cli/evaluation/${image}`);
}

/** Folder of a demo checkpoint: `opt`, `t5` or `itm`. */
export function demoFolder(kind: string): string {
  return repositoryPath(`apps/cli/models/blip2-${kind}-shapes`);
}

function readLines<T>(file: string): readonly T[] {
  return readFileSync(repositoryPath(`apps/cli/evaluation/${file}`), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as T);
}
