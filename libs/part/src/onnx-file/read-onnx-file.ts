import { realpath } from 'node:fs/promises';
import { basename, dirname } from 'node:path';

import {
  isFolder,
  type JsonObject,
  readFailure,
  readJsonFile,
  readLimited,
  refuseLfsPointer,
  resolveFile,
} from '@blip2/files';
import {
  type Axis,
  Blip2Error,
  mustBe,
  type OnnxModel,
  type Signature,
  type TensorSpec,
  type TensorType,
} from '@blip2/interfaces';
import { DATA_TYPE, decodeModel, type GraphProto } from '@blip2/onnx';

/** Limit of protobuf. Larger models have their weights in other files. */
const MAX_BYTES = 2 ** 31 - 1;
/** Settings of a model: tens of kB. */
const MAX_SETTINGS_BYTES = 2 ** 20;
/** Folder of the graphs in repositories for transformers.js; settings are one folder up. */
const GRAPH_FOLDER = 'onnx';
/** `TensorProto.DataLocation.EXTERNAL`. */
const EXTERNAL = 1;
/** Element types of inputs and outputs. */
const TENSOR_TYPES: readonly TensorType[] = ['float32', 'int64', 'int32', 'uint8', 'bool'];

type ValueInfo = GraphProto['input'][number];

/** An `.onnx` file that someone else wrote, ready for a session. */
export interface OnnxFile {
  /** Path as it was given. */
  readonly file: string;
  /** Its graph. Axes without a fixed length have names of their own: names in files are not always meant. */
  readonly model: OnnxModel;
  /**
   * A JSON file of the model, such as `config.json`: next to the graph, or one folder up if the graph is in `onnx/`.
   * Undefined if there is none.
   * @throws Blip2Error `INVALID_CONFIG`, `UNSAFE_PATH`.
   */
  readSettings(name: string): Promise<JsonObject | undefined>;
}

/**
 * Reads the inputs and outputs of an `.onnx` file. Its weights may be in files next to it.
 * @throws Blip2Error `MISSING_FILE`; `INVALID_CHECKPOINT` for a file that is not an ONNX model; `UNSAFE_PATH` for
 * weights outside its folder; `UNSUPPORTED_DTYPE` for inputs of other types than float32, integers and booleans.
 */
export async function readOnnxFile(file: string): Promise<OnnxFile> {
  if (typeof file !== 'string' || file === '') throw mustBe('file', 'the path of an .onnx file', file);
  const real = await realpath(file).catch((cause: unknown) => {
    throw readFailure(cause, file);
  });
  if (await isFolder(real))
    throw mustBe('file', 'the path of an .onnx file', file, { fix: 'Pass a file in the folder' });
  const bytes = await readLimited(real, MAX_BYTES, { code: 'INVALID_CHECKPOINT', where: file });
  refuseLfsPointer(bytes, file, 'INVALID_CHECKPOINT');
  const graph = await graphOf(bytes, file);
  const folder = dirname(real);
  await expectOwnData(graph, folder);
  const name = basename(file);
  const stored = new Set(graph.initializer.map((tensor) => tensor.name));
  const inputs = graph.input.filter((value) => !stored.has(value.name));
  const signature: Signature = {
    inputs: specsOf(inputs, (value, type) => {
      throw new Blip2Error('UNSUPPORTED_DTYPE', `The input ${value.name} has a type that cannot be given`, {
        where: file,
        expected: TENSOR_TYPES.join(', '),
        got: type,
        fix: 'Use the file in float32: weights may have any type, inputs may not',
      });
    }),
    outputs: specsOf(graph.output, () => undefined),
  };
  const quantized = graph.node.some(({ opType }) => opType === 'MatMulNBits');
  return {
    file,
    model: {
      name,
      signature,
      weightsFolder: folder,
      ...(quantized && { prepack: 'onLoad' }),
      serialize: () => bytes,
    },
    async readSettings(settings) {
      const rules = { code: 'INVALID_CONFIG', maxBytes: MAX_SETTINGS_BYTES } as const;
      const near = await readJsonFile(folder, settings, rules);
      return near ?? (basename(folder) === GRAPH_FOLDER ? readJsonFile(dirname(folder), settings, rules) : undefined);
    },
  };
}

async function graphOf(bytes: Uint8Array, file: string): Promise<GraphProto> {
  const invalid = (cause?: unknown): Blip2Error =>
    new Blip2Error('INVALID_CHECKPOINT', 'The file is not an ONNX model', {
      where: file,
      fix: 'Pass a file that an exporter wrote, such as model.onnx',
      cause,
    });
  const { graph } = await decodeModel(bytes).catch((cause: unknown) => {
    throw invalid(cause);
  });
  if (!graph || graph.node.length === 0) throw invalid();
  return graph;
}

/** Weights in other files must be in the folder of the graph: a file cannot make us read others. */
async function expectOwnData({ initializer }: GraphProto, folder: string): Promise<void> {
  const locations = initializer
    .filter(({ dataLocation }) => dataLocation === EXTERNAL)
    .map(({ externalData }) => externalData.find(({ key }) => key === 'location')?.value ?? '');
  for (const location of new Set(locations)) await resolveFile(folder, location);
}

function specsOf(
  values: readonly ValueInfo[],
  refuse: (value: ValueInfo, type: string) => void,
): Record<string, TensorSpec> {
  return Object.fromEntries(
    values.flatMap((value): [string, TensorSpec][] => {
      const tensor = value.type?.value.case === 'tensorType' ? value.type.value.value : undefined;
      const type = TENSOR_TYPES.find((each) => DATA_TYPE[each] === tensor?.elemType);
      if (!tensor || !type) {
        refuse(value, typeName(tensor?.elemType));
        return [];
      }
      const axes = (tensor.shape?.dim ?? []).map(({ value: length }, index): Axis =>
        length.case === 'dimValue' && length.value > 0n ? Number(length.value) : `${value.name}.${index}`,
      );
      return [[value.name, { type, axes }]];
    }),
  );
}

function typeName(elemType: number | undefined): string {
  const known = Object.entries(DATA_TYPE).find(([, number]) => number === elemType)?.[0];
  return known ?? (elemType === undefined ? 'no tensor' : `element type ${elemType}`);
}
