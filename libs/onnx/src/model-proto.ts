import type { ModelProto } from './generated/onnx_pb.ts';

/** Decodes a serialized model, for tools that inspect or edit graphs. */
export async function decodeModel(bytes: Uint8Array): Promise<ModelProto> {
  const { fromBinary, ModelProtoSchema } = await schemas();
  return fromBinary(ModelProtoSchema, bytes);
}

/** Serializes a model. Fields that the schema does not declare are kept. */
export async function encodeModel(model: ModelProto): Promise<Uint8Array> {
  const { toBinary, ModelProtoSchema } = await schemas();
  return toBinary(ModelProtoSchema, model);
}

/** Loads the schemas and what reads them, which running a model does not need. */
async function schemas(): Promise<
  Pick<typeof import('@bufbuild/protobuf'), 'fromBinary' | 'toBinary'> &
    Pick<typeof import('./generated/onnx_pb.ts'), 'ModelProtoSchema'>
> {
  const [{ fromBinary, toBinary }, { ModelProtoSchema }] = await Promise.all([
    import('@bufbuild/protobuf'),
    import('./generated/onnx_pb.ts'),
  ]);
  return { fromBinary, toBinary, ModelProtoSchema };
}
