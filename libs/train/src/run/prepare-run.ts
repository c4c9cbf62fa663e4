import { availableParallelism } from 'node:os';
import { join } from 'node:path';

import { defaultCacheFolder } from '@blip2/files';
import { Blip2Error, mustBe, type Tensor } from '@blip2/interfaces';
import type { NamedTensors } from '@blip2/qformer';
import { defaultThreads } from '@blip2/runtime';

import { expectUsable } from '../examples/expect-usable.ts';
import { readExamples } from '../examples/read-examples.ts';
import { type ExampleIds, exampleIds } from '../examples/token-rows.ts';
import type { ExampleProblem, FoundExamples, OpenedExamples, TrainingExample } from '../examples/training-example.ts';
import { type CachedFeatures, cacheFeatures } from '../features/cache-features.ts';
import { type Optimizer, startOptimizer } from '../optimizer/start-optimizer.ts';
import { createExampleOrder } from '../order/example-order.ts';
import type { OpenRun } from './open-run.ts';
import { lockRun, openOutput } from './output-folder.ts';
import { runPlan } from './run-plan.ts';
import { expectSameRun, readRecord, type RunRecord, runRecord, writeRecord } from './run-record.ts';
import { type FoundState, readState, type StateValues } from './state-slots.ts';
import { readLines, startLines, STEP_LOG, type StepReport } from './step-log.ts';
import type { TrainSettings } from './train-settings.ts';
import type { PreparedRun, PrepareOptions } from './trainer-port.ts';
import { openTrainingModel, type TrainingModel } from './training-model.ts';

/** A run before its next step. */
export interface ReadyRun {
  readonly run: OpenRun;
  readonly weights: NamedTensors;
  readonly isResumed: boolean;
  /** Values that were saved with the state. */
  readonly values: StateValues;
  readonly report: Omit<PreparedRun, 'isOver'>;
}

/** The constant of Adam that avoids a division by 0. */
const EPSILON = 1e-8;

/** Opens everything that a run needs. What is opened is added to `owned`, also if a later part fails. */
export async function prepareRun(
  settings: TrainSettings,
  owned: AsyncDisposable[],
  { signal, onFeatures }: PrepareOptions,
): Promise<ReadyRun> {
  const sources = [settings.pairs, ...(settings.validation === undefined ? [] : [settings.validation])];
  const found: OpenedExamples[] = [];
  for (const source of sources) {
    const opened = await readExamples(source);
    owned.push(opened);
    expectUsable(opened, settings.skipBad, source);
    found.push(opened);
  }
  const folder = await openOutput(settings.output, settings);
  owned.push(await lockRun(folder));
  const earlier = settings.resume ? await readRecord(folder) : undefined;
  const threads = settings.threads ?? recordedThreads(earlier) ?? (await ownThreads());
  const model = await openTrainingModel(settings, threads);
  owned.push(model);
  const encoder = await model.encoderKey();
  const cache = join(settings.features ?? join(defaultCacheFolder(), 'features'), encoder);
  const sets: ReadySet[] = [];
  for (const [index, examples] of found.entries()) {
    const ready = await readySet(examples, model, cache, { signal, onFeatures });
    owned.push(ready.features);
    expectUsable(
      { examples: ready.features.examples, problems: ready.problems },
      settings.skipBad,
      sources[index] ?? '',
    );
    sets.push(ready);
  }
  const [{ features, ids } = { features: undefined, ids: [] }, validation] = sets;
  if (!features) throw mustBe('pairs', 'a source of examples', settings.pairs);
  const problems = sets.flatMap((set) => set.problems);
  const plan = runPlan(settings, ids.length, model.config.qformerConfig.hiddenSize);
  const content = sets.map((set) => [set.ids, set.features.keys]);
  const record = runRecord(settings, { plan, threads, encoder, exampleCount: ids.length, content });
  const changes = earlier ? expectSameRun(earlier, record) : [];
  const state = settings.resume ? await readState(folder) : undefined;
  if (!earlier) await writeRecord(folder, record);
  const done = state?.values['step'] ?? 0;
  const steps = await readLines<StepReport>(folder, STEP_LOG);
  await startLines(
    folder,
    STEP_LOG,
    steps.filter(({ step }) => step <= done),
  );
  const initial = await model.initialWeights();
  const optimizer = openOptimizer(settings, initial, folder, state);
  owned.push(optimizer);
  return {
    run: {
      model,
      features,
      optimizer,
      ids,
      order: createExampleOrder(ids.length, settings.batchSize, settings.seed),
      plan,
      folder,
      validation: validation && {
        examples: validation.features.examples,
        ids: validation.ids,
        read: (indices) => validation.features.read(indices),
      },
    },
    values: state?.values ?? {},
    weights: state ? restored(initial, state) : initial,
    isResumed: state !== undefined,
    report: {
      ...plan,
      done,
      exampleCount: ids.length,
      problems,
      validationCount: validation?.ids.length ?? 0,
      encoded: sets.reduce((sum, set) => sum + set.features.encoded, 0),
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

/** Examples with ids and features. */
interface ReadySet {
  readonly features: CachedFeatures;
  readonly ids: readonly ExampleIds[];
  readonly problems: readonly ExampleProblem[];
}

async function readySet(
  found: FoundExamples,
  model: TrainingModel,
  file: string,
  { signal, onFeatures }: PrepareOptions,
): Promise<ReadySet> {
  const usable = usableTexts(found, model);
  const encoder = { vision: () => model.vision(), processor: model.processor.imageProcessor };
  const options = { signal, ...(onFeatures && { onProgress: onFeatures }) };
  const features = await cacheFeatures(usable.examples, file, encoder, options);
  return {
    features,
    ids: features.examples.map((example) => exampleIds(model.texts, example)),
    problems: [...usable.problems, ...features.problems],
  };
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
