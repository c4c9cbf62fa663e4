export {
  publishShard,
  readShardStats,
  type ShardOutput,
  type ShardRow,
  type ShardStats,
} from './output/publish-shard.ts';
export { openRun, type RunDescription, runFingerprint, type RunRecord } from './output/run-record.ts';
export { type Manifest, writeManifest } from './output/write-manifest.ts';
export {
  DEFAULT_SHARD_SIZE,
  planShards,
  type Shard,
  type ShardInput,
  shardName,
  type ShardWork,
} from './plan/plan-shards.ts';
export { chooseShards, parseShardChoice, type ShardChoice } from './plan/shard-choice.ts';
export { archiveInput, type ShardImage, shardImages, type ShardImagesOptions } from './plan/shard-images.ts';
export { type FolderQueueOptions, openFolderQueue } from './queue/folder-queue.ts';
export type { Claim, QueueStatus, ShardFailure, ShardQueue } from './queue/shard-queue.ts';
export { type WorkOptions, workShards } from './work-shards.ts';
