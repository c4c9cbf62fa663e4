import { create } from '@bufbuild/protobuf';

import { type AttributeProto, AttributeProtoSchema } from './generated/onnx_pb.ts';

/** A node attribute with its ONNX type, which a JavaScript number alone does not determine. */
export type Attribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly ints: readonly number[] }
  | { readonly string: string };

/** `AttributeProto.AttributeType`. */
const TYPE = { float: 1, int: 2, string: 3, ints: 7 } as const;

export function attributeProto(name: string, attribute: Attribute): AttributeProto {
  if ('int' in attribute) return create(AttributeProtoSchema, { name, type: TYPE.int, i: BigInt(attribute.int) });
  if ('float' in attribute) return create(AttributeProtoSchema, { name, type: TYPE.float, f: attribute.float });
  if ('ints' in attribute)
    return create(AttributeProtoSchema, { name, type: TYPE.ints, ints: attribute.ints.map(BigInt) });
  return create(AttributeProtoSchema, { name, type: TYPE.string, s: new TextEncoder().encode(attribute.string) });
}
