/** File of the weights of a model that is not sharded. */
export const SINGLE_FILE = 'model.safetensors';
/** Index of the weights of a sharded model. */
export const INDEX_FILE = 'model.safetensors.index.json';
/** Name of a shard, such as `model-00001-of-00002.safetensors`. */
export const SHARD_FILE: RegExp = /^model-\d{5}-of-\d{5}\.safetensors$/;
/** Weights in formats that can run code when they are loaded. */
export const PICKLED_FILE: RegExp = /\.(?:bin|pt|pth|ckpt|msgpack|h5)$/;
