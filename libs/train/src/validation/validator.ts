import { join } from 'node:path';

import { openCheckpoint, readTensor, writeSafetensors } from '@blip2/checkpoint';
import { makeFolder, SINGLE_FILE, wrapWriteErrors } from '@blip2/files';
import type { NamedTensors } from '@blip2/qformer';

import type { OpenRun } from '../run/open-run.ts';
import { stateSources, type StateTensor, type StateValues } from '../run/state-slots.ts';
import { appendLine, readLines, startLines } from '../run/step-log.ts';
import { validate } from './validate.ts';
import type { ValidationReport } from './validation-report.ts';

/** Texts in a report. */
const SAMPLES = 12;
const LOG = 'validation.jsonl';
const BEST = 'best';

/** The validations of a run: when they are due, and which was the best. */
export interface Validator {
  /** Whether a validation after this step is due and has not been made. */
  isDue(step: number): boolean;
  /** Whether the last validation ended the run. */
  readonly isOver: boolean;
  run(step: number, weights: NamedTensors): Promise<ValidationReport>;
  /** What is saved with the state of the run. */
  readonly values: StateValues;
  /** The weights of the best validation; undefined without validations. */
  best(): Promise<readonly StateTensor[] | undefined>;
}

/** Continues the validations of a run whose saved state has `values`. */
export async function createValidator(
  { model, plan, folder, validation }: OpenRun,
  values: StateValues,
  patience: number | undefined,
): Promise<Validator> {
  let best = { exact: values['bestExact'] ?? -1, loss: values['bestLoss'] ?? Number.MAX_VALUE };
  let [validated, waited] = [values['validated'] ?? 0, values['waited'] ?? 0];
  const reports = (await readLines<ValidationReport>(folder, LOG)).filter(({ step }) => step <= validated);
  if (validation) await startLines(folder, LOG, reports);
  const isOver = (): boolean => patience !== undefined && waited >= patience;
  return {
    isDue(step) {
      if (!validation || step <= validated || step === 0) return false;
      return step % plan.validateEvery === 0 || step === plan.steps;
    },
    get isOver() {
      return isOver();
    },
    get values() {
      return validation ? { validated, waited, bestExact: best.exact, bestLoss: best.loss } : {};
    },
    async run(step, weights) {
      if (!validation) return { step, loss: NaN, exactMatch: NaN, isBest: false, isLast: false, samples: [] };
      const { processor, bridge, language } = model;
      const decode = (ids: readonly number[]): string => processor.decode(ids, { skipSpecialTokens: true });
      const { loss, exactMatch, cider, texts } = await validate(bridge, language, weights, validation, decode);
      const isBest = exactMatch > best.exact || (exactMatch === best.exact && loss < best.loss);
      if (isBest) {
        await saveBest(folder, weights);
        best = { exact: exactMatch, loss };
      }
      [validated, waited] = [step, isBest ? 0 : waited + 1];
      const samples = validation.examples.slice(0, SAMPLES).map(({ image, question, text }, index) => ({
        image: image.name,
        ...(question !== undefined && { question }),
        expected: text,
        generated: texts[index] ?? '',
      }));
      const report = {
        step,
        loss,
        exactMatch,
        ...(cider !== undefined && { cider }),
        isBest,
        isLast: isOver(),
        samples,
      };
      await appendLine(folder, LOG, report);
      return report;
    },
    async best() {
      if (best.exact < 0) return undefined;
      const { tensors } = await openCheckpoint(join(folder, BEST));
      const entries = [...tensors.values()].map(async (tensor) => {
        const { dims, data } = await readTensor(tensor);
        return { name: tensor.name, dims, data };
      });
      return Promise.all(entries);
    },
  };
}

async function saveBest(folder: string, weights: NamedTensors): Promise<void> {
  const target = join(folder, BEST);
  await wrapWriteErrors(target, makeFolder(target));
  const tensors = Object.entries(weights).map(([name, { dims, data }]) => ({ name, dims, data }));
  await writeSafetensors(join(target, SINGLE_FILE), stateSources(tensors));
}

/** The validations in the log of a run. */
export async function readValidations(folder: string): Promise<ValidationReport[]> {
  return readLines<ValidationReport>(folder, LOG);
}
