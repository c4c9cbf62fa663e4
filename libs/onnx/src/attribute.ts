import type { NodeAttribute } from './write-model.ts';

/** A node attribute with its ONNX type, which a JavaScript number alone does not determine. */
export type Attribute =
  | { readonly int: number }
  | { readonly float: number }
  | { readonly ints: readonly number[] }
  | { readonly string: string };

/** `AttributeProto.AttributeType`. */
const TYPE = { float: 1, int: 2, string: 3, ints: 7 } as const;

export function nodeAttribute(name: string, attribute: Attribute): NodeAttribute {
  if ('int' in attribute) return { name, type: TYPE.int, i: BigInt(attribute.int) };
  if ('float' in attribute) return { name, type: TYPE.float, f: attribute.float };
  if ('ints' in attribute) return { name, type: TYPE.ints, ints: attribute.ints.map(BigInt) };
  return { name, type: TYPE.string, s: new TextEncoder().encode(attribute.string) };
}

type Node = { readonly attribute: readonly NodeAttribute[] };

/** A number among the attributes of a node, or `fallback` if it is absent. */
export function numberAttribute({ attribute }: Node, name: string, fallback: number): number {
  const found = attribute.find((each) => each.name === name);
  return found?.f ?? (found?.i === undefined ? fallback : Number(found.i));
}

/** A list of integers among the attributes of a node; empty if it is absent. */
export function integersAttribute({ attribute }: Node, name: string): number[] {
  return (attribute.find((each) => each.name === name)?.ints ?? []).map(Number);
}

/** A text among the attributes of a node, or `''`. */
export function textAttribute({ attribute }: Node, name: string): string {
  return new TextDecoder().decode(attribute.find((each) => each.name === name)?.s);
}
