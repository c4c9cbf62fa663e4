import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { wrapWriteErrors } from '@blip2/files';
import { Blip2Error, defined, expectKnownOptions, mustBe, type PrecisionChoice } from '@blip2/interfaces';
import { DEFAULT_OPSET, expectOpset } from '@blip2/onnx';
import { DATA_SUFFIX, writeGraph } from '@blip2/part';
import { readImageSettings } from '@blip2/processor';

import { copyCompanions } from '../checkpoint/companion-files.ts';
import type { ModelSources } from '../checkpoint/model-sources.ts';
import { expectOptions } from '../parts/checkpoint-parts.ts';
import { LOAD_OPTIONS, type LoadOptions } from '../parts/load-options.ts';
import { fillFolder } from './export-folder.ts';
import { type ExportedFile, exportedValues, type ExportManifest, MANIFEST } from './export-manifest.ts';
import { type ExportedModel, type ModelGraph, openExportedModel, precisionOf } from './export-parts.ts';

/** Options of `exportOnnx`: where and how the files are written, and those of loading a model. */
export interface ExportOnnxOptions extends Omit<
  LoadOptions,
  'device' | 'threads' | 'isolate' | 'createSession' | 'maxWaiting' | 'batching'
> {
  /** The folder of the export. It must be empty or not exist, unless `force` is set. */
  readonly folder: string;
  /** Version of the standard operators, 18 to 23. Default 21. */
  readonly opset?: number;
  /**
   * Use operators of the ONNX standard only, which any runtime has. Default: also the fused operators of onnxruntime
   * (`com.microsoft`), which are faster there.
   */
  readonly portable?: boolean;
  /** Replace files of the same names in a folder that is not empty. Default false. */
  readonly force?: boolean;
}

const OWN_OPTIONS: Readonly<Record<Exclude<keyof ExportOnnxOptions, keyof LoadOptions>, true>> = {
  folder: true,
  opset: true,
  portable: true,
  force: true,
};
const RUN_OPTIONS: readonly string[] = ['device', 'threads', 'isolate', 'createSession', 'maxWaiting', 'batching'];
/** Folder of the graphs, as in repositories for transformers.js. */
const GRAPH_FOLDER = 'onnx';
/** What is appended to the names of quantized files, as in repositories for transformers.js. */
const SUFFIXES: Readonly<Record<PrecisionChoice, string>> = {
  fp32: '',
  int8: '_int8',
  fast: '_int8',
  q8: '_quantized',
  q4: '_q4',
  small: '_q4',
};
/** Activations of int8 products: the sums of two products fit into 16 bits on every processor. */
const ACTIVATION_BITS = 7;

/**
 * Writes every part of a model as `.onnx` files with external data, for onnxruntime in any language and other runtimes:
 * BLIP-2, InstructBLIP, retrieval models, or a language model or vision encoder of its own. Weights are streamed. A
 * failed export leaves nothing behind.
 * @throws Blip2Error `INVALID_ARGUMENT` for a folder with contents, an unsupported opset or precision;
 * `UNSUPPORTED_ARCHITECTURE` for a part that cannot be exported; `WRITE_FAILED`; the codes of `fromPretrained`.
 */
export async function exportOnnx(source: string | ModelSources, options: ExportOnnxOptions): Promise<ExportManifest> {
  const { folder, opset, portable, force, ...load } = expectExportOptions(options);
  await expectOptions(load);
  await using model = await openExportedModel(source, { ...load, isolate: 'inline' });
  let manifest: ExportManifest | undefined;
  await fillFolder(folder, force, async (temporary) => {
    manifest = await writeFiles(model, temporary, { ...load, opset, portable });
    await writeJson(join(temporary, MANIFEST), manifest);
    if (resolve(model.folders.processor) === resolve(folder)) return;
    await copyCompanions(model.folders, temporary);
    await writeJson(join(temporary, 'config.json'), { ...model.config, ...externalDataNote(manifest) });
  });
  if (!manifest) throw new Blip2Error('WRITE_FAILED', 'Nothing was exported', { where: folder });
  return manifest;
}

type CheckedOptions = LoadOptions & Required<Pick<ExportOnnxOptions, 'folder' | 'opset' | 'portable' | 'force'>>;

function expectExportOptions(options: ExportOnnxOptions): CheckedOptions {
  if (typeof options !== 'object' || options === null) throw mustBe('options', 'an object with a folder', options);
  const known = [...Object.keys(OWN_OPTIONS), ...LOAD_OPTIONS.filter((name) => !RUN_OPTIONS.includes(name))];
  expectKnownOptions('exportOnnx', options, known);
  const { folder, opset = DEFAULT_OPSET, portable = false, force = false, dtype } = options;
  if (typeof folder !== 'string' || folder === '') throw mustBe('folder', 'the path of a folder', folder);
  if (typeof portable !== 'boolean') throw mustBe('portable', 'true or false', portable);
  if (typeof force !== 'boolean') throw mustBe('force', 'true or false', force);
  const language = typeof dtype === 'object' ? (dtype as typeof dtype | null)?.language : dtype;
  if (language === 'fast')
    throw mustBe('dtype', 'one of fp32, int8, q8, q4, small for the language model', language, {
      code: 'UNSUPPORTED_DTYPE',
      fix: 'fast has two copies of the language model. Use int8 for long prompts, or q4 for decoding',
    });
  return { ...options, folder, opset: expectOpset(opset), portable, force };
}

interface WriteOptions extends Pick<LoadOptions, 'dtype' | 'signal' | 'onProgress'> {
  readonly opset: number;
  readonly portable: boolean;
}

async function writeFiles(
  { graphs, config, folders, facts }: ExportedModel,
  target: string,
  { opset, portable, dtype, signal, onProgress }: WriteOptions,
): Promise<ExportManifest> {
  const files: Record<string, ExportedFile> = {};
  for (const graph of graphs) {
    signal?.throwIfAborted();
    const precision = precisionOf(graph, dtype);
    const file = `${GRAPH_FOLDER}/${fileName(graph, precision)}`;
    const operators = portable ? 'standard' : 'runtime';
    const { hasData } = await writeGraph(
      join(target, file),
      graph.model,
      { activationBits: ACTIVATION_BITS, opset, operators },
      { signal, onProgress: onProgress && ((loaded, total) => onProgress({ stage: 'export', file, loaded, total })) },
    );
    files[graph.name] = {
      file,
      ...(hasData && { data: `${file}${DATA_SUFFIX}` }),
      dtype: precision,
      ...exportedValues(graph.model),
    };
  }
  return {
    format: 'blip2-onnx',
    version: 1,
    modelType: String(config['model_type']),
    opset,
    portable,
    files,
    ...facts,
    ...defined({ preprocessing: (await readImageSettings(folders.images))?.json }),
  };
}

function fileName({ name }: ModelGraph, precision: PrecisionChoice): string {
  return `${name}${SUFFIXES[precision]}.onnx`;
}

/** What transformers.js needs to know to load the weights of a graph from a second file. */
function externalDataNote({ files }: ExportManifest): Readonly<Record<string, unknown>> {
  const names = Object.values(files).flatMap(({ file, data }) => (data === undefined ? [] : [file]));
  const flags = Object.fromEntries(names.map((file) => [file.slice(GRAPH_FOLDER.length + 1), true]));
  return { 'transformers.js_config': { use_external_data_format: flags } };
}

async function writeJson(file: string, value: unknown): Promise<void> {
  await wrapWriteErrors(file, writeFile(file, `${JSON.stringify(value, undefined, 2)}\n`));
}
