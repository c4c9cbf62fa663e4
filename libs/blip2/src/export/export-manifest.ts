import type { OnnxModel, PrecisionChoice, Signature, TensorSpec } from '@blip2/interfaces';

import type { ModelFacts } from './export-parts.ts';

/** The file that describes an export. */
export const MANIFEST = 'onnx_export.json';

/** An input or an output of a file. */
export interface ExportedValue {
  readonly name: string;
  readonly type: string;
  /** Lengths, and names of axes of any length; axes of one name have equal lengths in one file. */
  readonly shape: readonly (number | string)[];
}

/** One `.onnx` file. */
export interface ExportedFile {
  /** Path below the folder of the export. */
  readonly file: string;
  /** The file of its weights, if it has one. */
  readonly data?: string;
  readonly dtype: PrecisionChoice;
  readonly inputs: readonly ExportedValue[];
  readonly outputs: readonly ExportedValue[];
}

/** The contents of `onnx_export.json`. */
export interface ExportManifest extends ModelFacts {
  readonly format: 'blip2-onnx';
  readonly version: 1;
  readonly modelType: string;
  readonly opset: number;
  /** Whether the files have operators of the ONNX standard only. */
  readonly portable: boolean;
  /** By name: `vision_model`, `qformer_model`, … */
  readonly files: Readonly<Record<string, ExportedFile>>;
  /** The contents of `preprocessor_config.json`. */
  readonly preprocessing?: unknown;
}

/** Describes the inputs and outputs of a graph. */
export function exportedValues({ signature }: OnnxModel): Pick<ExportedFile, 'inputs' | 'outputs'> {
  return { inputs: values(signature.inputs), outputs: values(signature.outputs) };
}

function values(specs: Signature['inputs']): ExportedValue[] {
  return Object.entries<TensorSpec>(specs).map(([name, { type, axes }]) => ({ name, type, shape: axes }));
}
