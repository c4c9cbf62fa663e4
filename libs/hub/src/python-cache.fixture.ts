/**
 * What `snapshot_download` of `huggingface_hub` 1.33.0 writes for the needed files of `tinyRepository`: every file and
 * link, without its locks.
 * Recorded by running it against `startHubServer` with `HF_ENDPOINT`, then with `HF_HUB_DISABLE_SYMLINKS=1`.
 */
export const PYTHON_CACHE: readonly string[] = [
  'CACHEDIR.TAG',
  'models--someone--tiny-blip2/blobs/2840371e067ed5153e880a29b1fa3fda5f1059fa',
  'models--someone--tiny-blip2/blobs/339fc06023c9284187c1d6b1f8f01785baf0ab12',
  'models--someone--tiny-blip2/blobs/4cf4227ef8bb526b3c11e317fc2448c0020dcffa',
  'models--someone--tiny-blip2/blobs/5633546fb23cd7f6de3b2c134d29ceff8aa79212',
  'models--someone--tiny-blip2/blobs/7478b188b3691f40f641a3f6874bb96c7af43ca3de3a018da75de878617aaf71',
  'models--someone--tiny-blip2/blobs/80ad44c2d1841aa63986c5877b9b6f7185059c44',
  'models--someone--tiny-blip2/blobs/9b63652e4599b6f141f83f77374ca035004e0c8f',
  'models--someone--tiny-blip2/blobs/9e26dfeeb6e641a33dae4961196235bdb965b21b',
  'models--someone--tiny-blip2/blobs/c46a612196cf5c7f2b1fd784f633adb59cb1db7db7f2a1b92f0ddec6e2c24e18',
  'models--someone--tiny-blip2/blobs/e7f83d05e804800fd48aafc7c176e8c01c549ba6310e36cb925161486058ce81',
  'models--someone--tiny-blip2/blobs/fa694934fe31acb4f0dbe78ba82df68d4bf0318ea5f1265a1962fd1c742dc94a',
  'models--someone--tiny-blip2/refs/main',
  'models--someone--tiny-blip2/snapshots/0123456789abcdef0123456789abcdef01234567/config.json -> ../../blobs/2840371e067ed5153e880a29b1fa3fda5f1059fa',
  'models--someone--tiny-blip2/snapshots/0123456789abcdef0123456789abcdef01234567/generation_config.json -> ../../blobs/9e26dfeeb6e641a33dae4961196235bdb965b21b',
  'models--someone--tiny-blip2/snapshots/0123456789abcdef0123456789abcdef01234567/model-00001-of-00002.safetensors -> ../../blobs/fa694934fe31acb4f0dbe78ba82df68d4bf0318ea5f1265a1962fd1c742dc94a',
  'models--someone--tiny-blip2/snapshots/0123456789abcdef0123456789abcdef01234567/model-00002-of-00002.safetensors -> ../../blobs/e7f83d05e804800fd48aafc7c176e8c01c549ba6310e36cb925161486058ce81',
  'models--someone--tiny-blip2/snapshots/0123456789abcdef0123456789abcdef01234567/model.safetensors.index.json -> ../../blobs/4cf4227ef8bb526b3c11e317fc2448c0020dcffa',
  'models--someone--tiny-blip2/snapshots/0123456789abcdef0123456789abcdef01234567/preprocessor_config.json -> ../../blobs/339fc06023c9284187c1d6b1f8f01785baf0ab12',
  'models--someone--tiny-blip2/snapshots/0123456789abcdef0123456789abcdef01234567/processor_config.json -> ../../blobs/5633546fb23cd7f6de3b2c134d29ceff8aa79212',
  'models--someone--tiny-blip2/snapshots/0123456789abcdef0123456789abcdef01234567/qformer_tokenizer/tokenizer.json -> ../../../blobs/c46a612196cf5c7f2b1fd784f633adb59cb1db7db7f2a1b92f0ddec6e2c24e18',
  'models--someone--tiny-blip2/snapshots/0123456789abcdef0123456789abcdef01234567/qformer_tokenizer/vocab.txt -> ../../../blobs/9b63652e4599b6f141f83f77374ca035004e0c8f',
  'models--someone--tiny-blip2/snapshots/0123456789abcdef0123456789abcdef01234567/tokenizer.json -> ../../blobs/7478b188b3691f40f641a3f6874bb96c7af43ca3de3a018da75de878617aaf71',
  'models--someone--tiny-blip2/snapshots/0123456789abcdef0123456789abcdef01234567/tokenizer_config.json -> ../../blobs/80ad44c2d1841aa63986c5877b9b6f7185059c44',
  'models--someone--tiny-blip2/trees/0123456789abcdef0123456789abcdef01234567.json',
];

export const PYTHON_CACHE_WITHOUT_LINKS: readonly string[] = [
  'CACHEDIR.TAG',
  'models--someone--tiny-blip2/refs/main',
  'models--someone--tiny-blip2/snapshots/0123456789abcdef0123456789abcdef01234567/config.json',
  'models--someone--tiny-blip2/snapshots/0123456789abcdef0123456789abcdef01234567/generation_config.json',
  'models--someone--tiny-blip2/snapshots/0123456789abcdef0123456789abcdef01234567/model-00001-of-00002.safetensors',
  'models--someone--tiny-blip2/snapshots/0123456789abcdef0123456789abcdef01234567/model-00002-of-00002.safetensors',
  'models--someone--tiny-blip2/snapshots/0123456789abcdef0123456789abcdef01234567/model.safetensors.index.json',
  'models--someone--tiny-blip2/snapshots/0123456789abcdef0123456789abcdef01234567/preprocessor_config.json',
  'models--someone--tiny-blip2/snapshots/0123456789abcdef0123456789abcdef01234567/processor_config.json',
  'models--someone--tiny-blip2/snapshots/0123456789abcdef0123456789abcdef01234567/qformer_tokenizer/tokenizer.json',
  'models--someone--tiny-blip2/snapshots/0123456789abcdef0123456789abcdef01234567/qformer_tokenizer/vocab.txt',
  'models--someone--tiny-blip2/snapshots/0123456789abcdef0123456789abcdef01234567/tokenizer.json',
  'models--someone--tiny-blip2/snapshots/0123456789abcdef0123456789abcdef01234567/tokenizer_config.json',
  'models--someone--tiny-blip2/trees/0123456789abcdef0123456789abcdef01234567.json',
];
