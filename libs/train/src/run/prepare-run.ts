import { availableParallelism } from 'node:os';
import { join } from 'node:path';

import { defaultCacheFolder } from '@blip2/files';
import { Blip2Error, mustBe, type Tensor } from '@blip2/interfaces';
import type { NamedTensors } from '@blip2/qformer';
import { defaultThreads } from '@blip2/runtime';

import { expectUsable } from '../examples/expect-usable.ts';
import { readPairs } from '../examples/read-pairs.ts';
import { type ExampleIds, exampleIds } from '../examples/token-rows.ts';
import type { ExampleProblem, FoundExamples, TrainingExample } from '../examples/training-example.ts';
import { type CachedFeatures, cacheFeatures } from '../features/cache-features.ts';
import { type Optimizer, startOptimizer } from '../optimizer/start-optimizer.ts';
import { createExampleOrder, type ExampleOrder } from '../order/example-order.ts';
import { lockRun, openOutput } from './output-folder.ts';
import { type RunPlan, runPlan } from './run-plan.ts';
import { expectSameRun, readRecord, type RunRecord, runRecord, writeRecord } from './run-record.ts';
import { type FoundState, readState } from './state-slots.ts';
import { readLog, startLog } from './step-log.ts';
import type { TrainSettings } from './train-settings.ts';
import type { PreparedRun, PrepareOptions } from './trainer-port.ts';
import { openTrainingModel, type TrainingModel } from './training-model.ts';

/** Everything of a run that is open. */
export interface OpenRun {
  readonly model: TrainingModel;
  readonly features: CachedFeatures;
  readonly optimizer: Optimizer;
  readonly ids: readonly ExampleIds[];
  readonly order: ExampleOrder;
  readonly plan: RunPlan;
  readonly folder: string;
}

/** A run before its next step. */
export interface ReadyRun {
  readonly run: OpenRun;
  readonly weights: NamedTensors;
  readonly isResumed: boolean;
  readonly report: PreparedRun;
}

/** The constant of Adam that avoids a division by 0. */
const EPSILON = 1e-8;

/** Opens everything that a run needs. What is opened is added to `owned`, also if a later part fails. */
export async function prepareRun(
  settings: TrainSettings,
  owned: AsyncDisposable[],
  { signal, onFeatures }: PrepareOptions,
): Promise<ReadyRun> {
  const found = await readPairs(settings.pairs);
  expectUsable(found, settings.skipBad, settings.pairs);
  const folder = await openOutput(settings.output, settings);
  owned.push(await lockRun(folder));
  const earlier = settings.resume ? await readRecord(folder) : undefined;
  const threads = settings.threads ?? recordedThreads(earlier) ?? (await ownThreads());
  const model = await openTrainingModel(settings, threads);
  owned.push(model);
  const usable = usableTexts(found, model);
  expectUsable(usable, settings.skipBad, settings.pairs);
  const encoder = await model.encoderKey();
  const cache = join(settings.features ?? join(defaultCacheFolder(), 'features'), encoder);
  const encoding = await encodeImages(usable.examples, model, cache, { signal, onFeatures });
  owned.push(encoding);
  const problems = [...usable.problems, ...encoding.problems];
  expectUsable({ examples: encoding.examples, problems }, settings.skipBad, settings.pairs);
  const ids = encoding.examples.map((example) => exampleIds(model.texts, example));
  const plan = runPlan(settings, ids.length, model.config.qformerConfig.hiddenSize);
  const images = encoding.keys;
  const record = runRecord(settings, { plan, threads, encoder, examples: ids, images });
  const changes = earlier ? expectSameRun(earlier, record) : [];
  const state = settings.resume ? await readState(folder) : undefined;
  if (!earlier) await writeRecord(folder, record);
  const done = state?.values['step'] ?? 0;
  await startLog(folder, await readLog(folder, done));
  const initial = await model.initialWeights();
  const optimizer = openOptimizer(settings, initial, folder, state);
  owned.push(optimizer);
  return {
    run: {
      model,
      features: encoding,
      optimizer,
      ids,
      order: createExampleOrder(ids.length, settings.batchSize, settings.seed),
      plan,
      folder,
    },
    weights: state ? restored(initial, state) : initial,
    isResumed: state !== undefined,
    report: {
      ...plan,
      done,
      exampleCount: ids.length,
      problems,
      encoded: encoding.encoded,
      trained: Object.values(initial).reduce((sum, { data }) => sum + data.length, 0),
      threads,
      changes,
    },
  };
}

/** The number of threads for the products of a step: the same in every step, and recorded. */
async function ownThreads(): Promise<number> {
  return (await defaultThreads({ weightBytes: () => 0 }))?.prompt ?? availableParallelism();
}

function recordedThreads(record: RunRecord | undefined): number | undefined {
  const threads = record?.['threads'];
  return typeof threads === 'number' ? threads : undefined;
}

/** Leaves out texts that the language model has no positions for. */
function usableTexts(
  { examples, problems }: FoundExamples,
  { texts, maxIds = Infinity }: TrainingModel,
): FoundExamples {
  const usable: TrainingExample[] = [];
  const long: ExampleProblem[] = [];
  for (const example of examples) {
    const { prompt, targets } = exampleIds(texts, example);
    const count = prompt.length + targets.length;
    if (count <= maxIds) usable.push(example);
    else long.push({ where: example.where, fault: 'too long', got: `${count} ids, at most ${maxIds}` });
  }
  return { examples: usable, problems: [...problems, ...long] };
}

async function encodeImages(
  examples: readonly TrainingExample[],
  model: TrainingModel,
  file: string,
  { signal, onFeatures }: PrepareOptions,
): Promise<CachedFeatures> {
  const { processor } = model;
  return cacheFeatures(
    examples,
    file,
    { vision: () => model.vision(), processor: processor.imageProcessor },
    { signal, ...(onFeatures && { onProgress: onFeatures }) },
  );
}

function openOptimizer(
  { betas, weightDecay, maxNorm }: TrainSettings,
  weights: NamedTensors,
  folder: string,
  state: FoundState | undefined,
): Optimizer {
  const tensors = Object.entries(weights).map(([name, { dims }]) => ({ name, dims: [...dims] }));
  return startOptimizer({
    tensors,
    settings: { betas, weightDecay, maxNorm, eps: EPSILON },
    moments:
      state &&
      tensors.map(({ name }) => ({ first: saved(state, `first.${name}`), second: saved(state, `second.${name}`) })),
    folder,
    nextSlot: state?.nextSlot ?? 0,
  });
}

function restored(weights: NamedTensors, state: FoundState): NamedTensors {
  const entries = Object.entries(weights).map(([name, { type, dims, data }]): [string, Tensor<'float32'>] => {
    const own = saved(state, name);
    if (own.length !== data.length) throw mustBe(name, `of ${data.length} values in the saved state`, own.length);
    return [name, { type, dims, data: own }];
  });
  return Object.fromEntries(entries);
}

function saved({ tensors }: FoundState, name: string): Float32Array {
  const found = tensors.get(name);
  if (found) return found;
  throw new Blip2Error('INVALID_STATE', 'The saved state lacks a tensor', { subject: name, where: name });
}
