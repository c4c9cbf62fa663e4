import {
  type AttentionMask,
  Blip2Error,
  type Decoding,
  pickRows,
  type Session,
  type Tensor,
  type TokenIds,
} from '@blip2/interfaces';
import { rowsTensor } from '@blip2/runtime';

import { startCachedDecoding } from '../decoding/cached-decoding.ts';
import type { CachedStepper, RowMemory } from '../decoding/cached-stepper.ts';
import { range } from '../language-inputs.ts';
import { type DecoderLayout, KINDS, pastName, presentName } from './decoder-layout.ts';
import { expectDims, runDecoder } from './run-decoder.ts';

type Floats = Tensor<'float32', readonly [rows: number, ...rest: number[]]>;

/** What the encoder computed, and the keys and values that the first step of the decoder computed from it. */
interface FileMemory extends RowMemory<FileMemory> {
  readonly states: Floats;
  readonly mask: AttentionMask;
  /** By name of the input. Set by the first step. */
  cross: Readonly<Record<string, Floats>> | undefined;
}

function fileMemory(states: Floats, mask: AttentionMask, cross?: FileMemory['cross']): FileMemory {
  return {
    states,
    mask,
    cross,
    pick(parents) {
      const picked =
        this.cross &&
        Object.fromEntries(Object.entries(this.cross).map(([name, value]) => [name, pickRows(value, parents)]));
      return fileMemory(
        pickRows(states, parents),
        parents.map((parent) => mask[parent] ?? []),
        picked,
      );
    },
  };
}

export interface FileDecoder {
  readonly layout: DecoderLayout;
  readonly stepper: Omit<CachedStepper<unknown>, 'step'>;
  openDecoder(): Promise<Session>;
}

/** Runs the first ids of a decoder in a file and returns the decoding that continues them. */
export async function startFileDecoding(
  { layout, stepper, openDecoder }: FileDecoder,
  states: Floats,
  mask: AttentionMask,
  decoderInputIds: readonly TokenIds[],
): Promise<Decoding> {
  if (decoderInputIds.length !== mask.length)
    throw new Blip2Error('SHAPE_MISMATCH', 'decoderInputIds must have one row per prompt', {
      argument: 'decoderInputIds',
      expected: String(mask.length),
      got: String(decoderInputIds.length),
    });
  return startCachedDecoding<FileMemory>(
    {
      ...stepper,
      async step(step) {
        const { memory } = step;
        const more = {
          encoder_hidden_states: memory.states,
          ...(layout.has('encoder_attention_mask') && { encoder_attention_mask: rowsTensor(memory.mask, 'mask') }),
          ...(memory.cross ?? emptyCross(layout, mask.length)),
        };
        const { outputs, ...result } = await runDecoder(layout, await openDecoder(), step, more);
        memory.cross ??= crossOf(layout, outputs, memory);
        return result;
      },
    },
    fileMemory(states, mask),
    await stepper.embed(decoderInputIds),
    decoderInputIds.map((row) => row.map(() => 1)),
  );
}

function eachCross<R>(
  { cache: { layers } }: DecoderLayout,
  entry: (layer: number, kind: (typeof KINDS)[number]) => R,
): R[] {
  return range(layers).flatMap((layer) => KINDS.map((kind) => entry(layer, kind)));
}

function emptyCross(layout: DecoderLayout, rows: number): Record<string, Floats> {
  const { heads, headSize } = layout.cache;
  return Object.fromEntries(
    eachCross(layout, (layer, kind): [string, Floats] => [
      pastName(layer, 'encoder.', kind),
      { type: 'float32', dims: [rows, heads, 0, headSize], data: new Float32Array(0) },
    ]),
  );
}

function crossOf(
  layout: DecoderLayout,
  outputs: Readonly<Record<string, Tensor>>,
  { mask }: FileMemory,
): Record<string, Floats> {
  const { onnx, cache } = layout;
  const dims = [mask.length, cache.heads, mask[0]?.length ?? 0, cache.headSize];
  return Object.fromEntries(
    eachCross(layout, (layer, kind): [string, Floats] => {
      const name = presentName(layer, 'encoder.', kind);
      return [pastName(layer, 'encoder.', kind), expectDims(onnx.file, name, outputs[name], dims) as Floats];
    }),
  );
}
