/**
 * The configuration files of timm and open_clip. They name an architecture, whose sizes are in timm's source, and store
 * only the arguments that differ from it.
 */
import { isJsonObject } from '@blip2/files';
import { Blip2Error } from '@blip2/interfaces';

import { expectObject, type JsonObject, ownValue, show } from '../../schema/json-values.ts';

/** Arguments of timm's class `Eva` by architecture. Source: `timm/models/eva.py`, timm 1.0.29. */
const GIANT: JsonObject = { patch_size: 14, embed_dim: 1408, depth: 40, num_heads: 16, mlp_ratio: 6144 / 1408 };
const ARCHITECTURES: ReadonlyMap<string, JsonObject> = new Map<string, JsonObject>([
  ['eva_giant_patch14_224', { ...GIANT, img_size: 224 }],
  ['eva_giant_patch14_336', { ...GIANT, img_size: 336 }],
  ['eva_giant_patch14_560', { ...GIANT, img_size: 560 }],
  ['eva_giant_patch14_clip_224', { ...GIANT, img_size: 224, global_pool: 'token' }],
]);
/** The architecture of a configuration that names none: the only one with EVA-CLIP's pooling. */
export const DEFAULT_ARCHITECTURE = 'eva_giant_patch14_clip_224';

/** Arguments without effect on the outputs. */
const TRAINING: ReadonlySet<string> = new Set([
  'attn_drop_rate',
  'drop_path_rate',
  'drop_rate',
  'dynamic_img_size',
  'head_init_scale',
  'num_classes',
  'patch_drop_rate',
  'pos_drop_rate',
  'proj_drop_rate',
]);
/** Arguments that must have their default: EVA-02 and other models of the same class have other values. */
const FIXED: JsonObject = {
  attn_type: 'eva',
  class_token: true,
  dynamic_img_pad: false,
  no_embed_class: false,
  num_reg_tokens: 0,
  qkv_fused: true,
  scale_attn_inner: false,
  scale_mlp: false,
  swiglu_mlp: false,
  use_abs_pos_emb: true,
  use_post_norm: false,
  use_pre_transformer_norm: false,
  use_rot_pos_emb: false,
};

/** The `model_type` of a file of timm or open_clip, which has none; undefined for other files. */
export function timmModelType(json: JsonObject, where: string): 'eva' | undefined {
  const { architecture } = timmModel(json, where);
  if (architecture === undefined) return undefined;
  if (typeof architecture === 'string' && ARCHITECTURES.has(architecture)) return 'eva';
  throw unsupported(architecture, where);
}

/** The architecture and the arguments of timm in a file of timm, or in one of open_clip. */
function timmModel(
  json: JsonObject,
  where: string,
): { readonly architecture: unknown; readonly named: JsonObject; readonly where: string } {
  const clip = ownValue(json, 'model_cfg');
  if (clip === undefined)
    return {
      architecture: ownValue(json, 'architecture'),
      named: expectObject(ownValue(json, 'model_args') ?? {}, `${where}.model_args`),
      where: `${where}.model_args`,
    };
  const place = `${where}.model_cfg.vision_cfg`;
  const vision = expectObject(ownValue(expectObject(clip, `${where}.model_cfg`), 'vision_cfg') ?? {}, place);
  const pool = ownValue(vision, 'timm_pool');
  return {
    // Without `timm_model_name`, the encoder is one of open_clip's own.
    architecture: ownValue(vision, 'timm_model_name') ?? 'a model of open_clip',
    named: typeof pool === 'string' && pool !== '' ? { global_pool: pool } : {},
    where: place,
  };
}

/**
 * The arguments of timm in one flat object, with the keys of the file: those of the architecture, then those of the
 * file. A file that is flat already, which has no `architecture`, is returned as it is.
 * @throws Blip2Error `UNSUPPORTED_ARCHITECTURE` for arguments of other models; `INVALID_CONFIG`.
 */
export function flatArguments(json: JsonObject, where: string): JsonObject {
  const { architecture, named, where: place } = timmModel(json, where);
  const known = ARCHITECTURES.get(String(architecture ?? DEFAULT_ARCHITECTURE));
  if (!known) throw unsupported(architecture, where);
  for (const [key, value] of Object.entries(named)) requireSupported(key, value, place);
  const given = { ...stated(json, where), ...named };
  return Object.freeze({
    ...known,
    ...json,
    ...Object.fromEntries(Object.entries(given).filter(([key]) => FIELDS.has(key))),
    ...squared('img_size', given, place),
    ...squared('patch_size', given, place),
  });
}

/** What a file of timm states beside the arguments: the pooling that was saved, and the image size. */
function stated(json: JsonObject, where: string): JsonObject {
  const pretrained = expectObject(ownValue(json, 'pretrained_cfg') ?? {}, `${where}.pretrained_cfg`);
  const size = ownValue(pretrained, 'input_size');
  const pool = ownValue(json, 'global_pool');
  return {
    ...(Array.isArray(size) && size.length === 3 && { img_size: size.slice(1) as readonly unknown[] }),
    ...(pool !== undefined && { global_pool: pool }),
  };
}

/** A side of squares, which may be stored as height and width. */
function squared(key: string, given: JsonObject, where: string): JsonObject {
  const value = ownValue(given, key);
  if (!Array.isArray(value)) return {};
  const [height, width, ...more] = value as readonly unknown[];
  if (height === width && more.length === 0) return { [key]: height };
  throw new Blip2Error('INVALID_CONFIG', `${key} must have one height and width`, {
    expected: 'a square',
    got: JSON.stringify(value).slice(0, 80),
    where: `${where}.${key}`,
  });
}

/** Arguments that the configuration has as fields. */
const FIELDS: ReadonlySet<string> = new Set([
  'depth',
  'embed_dim',
  'global_pool',
  'img_size',
  'in_chans',
  'init_values',
  'mlp_ratio',
  'num_heads',
  'patch_size',
  'qkv_bias',
  'use_fc_norm',
  'use_post_transformer_norm',
]);

function requireSupported(key: string, value: unknown, where: string): void {
  if (FIELDS.has(key) || TRAINING.has(key) || value === null) return;
  if (Object.hasOwn(FIXED, key) && FIXED[key] === value) return;
  throw new Blip2Error('UNSUPPORTED_ARCHITECTURE', `The argument ${key} of timm is not supported`, {
    expected: Object.hasOwn(FIXED, key) ? String(FIXED[key]) : `no ${key}`,
    got: show(value),
    where: `${where}.${key}`,
    subject: key,
  });
}

function unsupported(architecture: unknown, where: string): Blip2Error {
  const isSecond = typeof architecture === 'string' && architecture.startsWith('eva02');
  return new Blip2Error('UNSUPPORTED_ARCHITECTURE', 'The model of timm is not supported', {
    expected: `one of ${[...ARCHITECTURES.keys()].join(', ')}`,
    got: show(architecture),
    where: `${where}.architecture`,
    ...(typeof architecture === 'string' && { subject: architecture }),
    fix: isSecond
      ? 'EVA-02 has rotary positions and another feed-forward: use an EVA-01 checkpoint, or add the family'
      : 'Use a checkpoint of Hugging Face Transformers, or add the family',
  });
}

/** Mean and deviation of the images of CLIP. */
const CLIP_IMAGES: JsonObject = {
  mean: [0.48145466, 0.4578275, 0.40821073],
  std: [0.26862954, 0.26130258, 0.27577711],
  interpolation: 'bicubic',
};

/** The preprocessing of a file without `pretrained_cfg`: that of open_clip, or that of timm's EVA models. */
function preprocessing(flat: Readonly<Record<string, unknown>>): JsonObject {
  const clip = flat['preprocess_cfg'];
  if (!isJsonObject(clip)) return { ...CLIP_IMAGES, crop_pct: 0.9 };
  const { mean, std, interpolation } = { ...CLIP_IMAGES, ...clip };
  const mode = { shortest: 'center', longest: 'border', squash: 'squash' }[String(clip['resize_mode'] ?? 'shortest')];
  return { mean, std, interpolation, crop_pct: 1, crop_mode: mode };
}

/** A file of timm from a flat one: the fields as arguments. timm ignores the other keys. */
export function nestedArguments(flat: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { model_cfg: clip, model_args: given, ...others } = flat;
  const { architecture = DEFAULT_ARCHITECTURE, pretrained_cfg: pretrained } = others;
  const named = Object.entries(flat).filter(([key]) => FIELDS.has(key));
  const rest = Object.entries(others).filter(([key]) => !FIELDS.has(key));
  const size = flat['img_size'];
  return sorted({
    ...Object.fromEntries(rest),
    // The head is not part of the encoder.
    num_classes: ownValue(flat, 'num_classes') ?? 0,
    global_pool: flat['global_pool'],
    architecture: clip === undefined ? architecture : timmModel(flat, '').architecture,
    model_args: sorted({ ...(given as object | undefined), ...Object.fromEntries(named) }),
    pretrained_cfg: {
      ...(typeof size === 'number' && { input_size: [3, size, size] }),
      num_classes: 0,
      ...(pretrained === undefined ? preprocessing(flat) : (pretrained as object)),
    },
  });
}

/** The members in the order of their names, whatever was read. */
function sorted(json: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(json).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}
