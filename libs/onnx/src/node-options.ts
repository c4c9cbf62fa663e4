import type { Axis } from '@blip2/interfaces';

import type { Attribute } from './attribute.ts';
import type { ElementType } from './element-type.ts';
import type { Value } from './value.ts';

/** Type and shape of a node's output, inferred by the caller. */
export interface OutputSpec<T extends ElementType = ElementType> {
  readonly type: T;
  readonly axes: readonly Axis[];
}

export interface NodeOptions {
  /** `com.microsoft` for operators of onnxruntime. Default: the standard. */
  readonly domain?: string;
  readonly attributes?: Readonly<Record<string, Attribute | undefined>>;
}

/** The inputs and outputs of a node; an optional input that is not given is undefined. */
export interface NodeValues {
  readonly inputs: readonly (Value | undefined)[];
  readonly outputs: readonly Value[];
}
