import { fromBinary, toBinary } from '@bufbuild/protobuf';

import { type ModelProto, ModelProtoSchema } from './generated/onnx_pb.ts';

/** Reads a serialized model, for tools that look into graphs or change them. */
export function decodeModel(bytes: Uint8Array): ModelProto {
  return fromBinary(ModelProtoSchema, bytes);
}

export function encodeModel(model: ModelProto): Uint8Array {
  return toBinary(ModelProtoSchema, model);
}
