import type { ModelProto, NodeProto } from '@blip2/onnx';

/**
 * The nodes of a graph whose names match: names carry the checkpoint path of the layer,
 * `…encoder.layers.0.layer_norm1/LayerNormalization`.
 */
export function nodesNamed(model: ModelProto, pattern: RegExp): readonly NodeProto[] {
  return (model.graph?.node ?? []).filter((node) => pattern.test(node.name));
}

/** Turns a node into the identity of its first input. */
function bypass(node: NodeProto): void {
  node.opType = 'Identity';
  node.domain = '';
  node.input = node.input.slice(0, 1);
  node.attribute = [];
}

/** Bypasses all nodes that match. */
export function bypassAll(model: ModelProto, pattern: RegExp): void {
  nodesNamed(model, pattern).forEach(bypass);
}

/** Changes an attribute of all nodes that match and have it. A number is a float, a bigint an integer. */
export function setAttribute(model: ModelProto, pattern: RegExp, name: string, value: number | bigint | string): void {
  for (const node of nodesNamed(model, pattern)) {
    for (const attribute of node.attribute) {
      if (attribute.name !== name) continue;
      if (typeof value === 'bigint') attribute.i = value;
      else if (typeof value === 'number') attribute.f = value;
      else attribute.s = new TextEncoder().encode(value);
    }
  }
}
