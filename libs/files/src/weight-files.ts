/** File name of unsharded weights. */
export const SINGLE_FILE = 'model.safetensors';
/** File name of the weights of a model that open_clip saved. */
export const OPEN_CLIP_FILE = 'open_clip_model.safetensors';
/** File name of the configuration of a model that open_clip saved. */
export const OPEN_CLIP_CONFIG = 'open_clip_config.json';
/** File name of the index of sharded weights. */
export const INDEX_FILE = 'model.safetensors.index.json';
/** Pattern of shard file names, such as `model-00001-of-00002.safetensors`. */
export const SHARD_FILE: RegExp = /^model-\d{5}-of-\d{5}\.safetensors$/;
/** Pattern of weight files in formats that can run code when they are loaded. */
export const PICKLED_FILE: RegExp = /\.(?:bin|pt|pth|ckpt|msgpack|h5)$/;
