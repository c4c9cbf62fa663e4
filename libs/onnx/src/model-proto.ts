import { fromBinary, toBinary } from '@bufbuild/protobuf';

import { type ModelProto, ModelProtoSchema } from './generated/onnx_pb.ts';

/** Decodes a serialized model, for tools that inspect or edit graphs. */
export function decodeModel(bytes: Uint8Array): ModelProto {
  return fromBinary(ModelProtoSchema, bytes);
}

/** Serializes a model. Fields that the schema does not declare are kept. */
export function encodeModel(model: ModelProto): Uint8Array {
  return toBinary(ModelProtoSchema, model);
}
