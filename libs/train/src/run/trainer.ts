import { saveModel } from '@blip2/blip2';
import { Blip2Error, messageOf, type Tensor } from '@blip2/interfaces';
import type { NamedTensors } from '@blip2/qformer';

import { learningRate } from '../optimizer/learning-rate.ts';
import { microBatches } from '../order/micro-batches.ts';
import { writeReport } from '../report/write-report.ts';
import { createValidator, type Validator } from '../validation/validator.ts';
import { batchGradients, type Piece } from './batch-gradients.ts';
import type { OpenRun } from './open-run.ts';
import { prepareRun } from './prepare-run.ts';
import { stateSources } from './state-slots.ts';
import { appendLine, STEP_LOG, type StepReport } from './step-log.ts';
import type { TrainSettings } from './train-settings.ts';
import type { Trainer } from './trainer-port.ts';

/** Creates the trainer of a run. Nothing is read before `prepare`. */
export function createTrainer(settings: TrainSettings): Trainer {
  const owned: AsyncDisposable[] = [];
  let run: OpenRun | undefined;
  let weights: NamedTensors = {};
  let validator: Validator | undefined;
  let done = 0;
  let saved = { step: 0, at: 0 };
  let next: { readonly step: number; readonly pieces: Promise<readonly Piece[]> } | undefined;

  const opened = (): OpenRun => {
    if (run) return run;
    throw new Blip2Error('INVALID_STATE', 'prepare must be called first');
  };
  const piecesOf = async (step: number): Promise<readonly Piece[]> => {
    const { order, ids, features } = opened();
    const rows = order.batch(step).map((index) => ({ index, ids: ids[index] ?? { prompt: [], targets: [] } }));
    const split = microBatches(rows, settings.microBatch, (row) => row.ids.prompt.length + row.ids.targets.length);
    const pieces: Piece[] = [];
    for (const piece of split)
      pieces.push({
        features: await features.read(piece.map(({ index }) => index)),
        rows: piece.map((row) => row.ids),
      });
    return pieces;
  };
  const save = async (): Promise<void> => {
    const { optimizer } = opened();
    await optimizer.save(
      { step: done, ...validator?.values },
      Object.values(weights).map(({ data }) => data),
    );
    saved = { step: done, at: performance.now() };
  };
  const isSaveDue = (): boolean => performance.now() - saved.at >= settings.saveEvery * 1000;

  const makeStep = async (): Promise<StepReport> => {
    const { model, optimizer, plan, folder } = opened();
    if (optimizer.failure) throw optimizer.failure;
    const pieces = await (next?.step === done ? next.pieces : piecesOf(done));
    next = undefined;
    const { loss, gradients } = await batchGradients(model.bridge, model.language, weights, pieces);
    const rate = learningRate({ ...plan, peak: plan.learningRate }, done);
    const isSaved = isSaveDue();
    const updating = optimizer.update({
      weights: Object.values(weights).map(({ data }) => data),
      gradients,
      learningRate: rate,
      step: done + 1,
      save: isSaved ? { step: done + 1, ...validator?.values } : undefined,
    });
    // Read while the optimizer works.
    if (done + 1 < plan.steps) {
      const pending = piecesOf(done + 1);
      pending.catch(() => undefined);
      next = { step: done + 1, pieces: pending };
    }
    const updated = await updating;
    weights = withData(weights, updated.weights);
    const { norm } = updated;
    if (!Number.isFinite(norm) || !Number.isFinite(loss)) throw notFinite(Number.isFinite(loss) ? 'norm' : 'loss');
    done++;
    if (isSaved) saved = { step: done, at: performance.now() };
    const report = { step: done, loss, norm, learningRate: rate };
    await appendLine(folder, STEP_LOG, report);
    return report;
  };

  return {
    async prepare({ signal, onFeatures } = {}) {
      const prepared = await prepareRun(settings, owned, { signal, onFeatures });
      run = prepared.run;
      weights = prepared.weights;
      done = prepared.report.done;
      validator = await createValidator(run, prepared.values, settings.patience);
      saved = { step: done, at: performance.now() };
      // The states take their space on the disk before the first step.
      if (!prepared.isResumed) for (let slot = 0; slot < 2; slot++) await save();
      return { ...prepared.report, isOver: validator.isOver };
    },
    async step() {
      try {
        return await makeStep();
      } catch (error) {
        // The error of the step matters more than that of saving.
        if (saved.step < done) await save().catch(() => undefined);
        if (!(error instanceof Blip2Error) || error.code !== 'NOT_FINITE') throw error;
        throw new Blip2Error('NOT_FINITE', `Step ${done + 1}: ${messageOf(error)}`, {
          cause: error,
          fix: 'The state before it is saved. Try a lower learning rate, and --restart',
        });
      }
    },
    async validate() {
      if (!validator?.isDue(done)) return undefined;
      const report = await validator.run(done, weights);
      // The state knows of the validation, so that it is not made again.
      await save();
      await writeReport(opened(), settings.output);
      return report;
    },
    save: async () => {
      if (saved.step < done || opened().optimizer.failure) await save();
    },
    async finish() {
      const { model } = opened();
      const last = Object.entries(weights).map(([name, { dims, data }]) => ({ name, dims, data }));
      const tensors = (await validator?.best()) ?? last;
      await writeReport(opened(), settings.output);
      await saveModel(model.folders, model.config, settings.output, {}, { replaced: stateSources(tensors) });
    },
    async [Symbol.asyncDispose]() {
      await next?.pieces.catch(() => undefined);
      for (const each of owned.splice(0).reverse()) await each[Symbol.asyncDispose]();
    },
  };
}

function notFinite(what: 'loss' | 'norm'): Blip2Error {
  return new Blip2Error('NOT_FINITE', what === 'loss' ? 'The loss is not finite' : 'The gradients are not finite');
}

function withData(weights: NamedTensors, data: readonly Float32Array[]): NamedTensors {
  const entries = Object.entries(weights).map(([name, { type, dims }], index): [string, Tensor<'float32'>] => [
    name,
    { type, dims, data: data[index] ?? new Float32Array() },
  ]);
  return Object.fromEntries(entries);
}
