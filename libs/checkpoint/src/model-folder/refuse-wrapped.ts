import { Blip2Error } from '@blip2/interfaces';

/** Names that PyTorch's wrappers put in front of all parameters: DDP, `torch.compile`, PEFT, FSDP, DeepSpeed. */
const WRAPPERS = /^(?:(?:module|_orig_mod|base_model\.model|_fsdp_wrapped_module|_forward_module)\.)+/;
/** The first names of a BLIP-2, and what precedes them in the names of a model that contains one. */
const NESTED_MODEL =
  /^(?:\w+\.)+?(?=query_tokens$|(?:vision_model|qformer|language_model|language_projection|visual_encoder|Qformer)\.)/;
/** Parameters of adapters that were not merged. */
const ADAPTER = /\.(?:lora_[AB]|lora_embedding_[AB]|base_layer)\./;

/** The prefix of every name that none of them has in a checkpoint; undefined if there is none. */
function wrapperPrefix(names: readonly string[]): string | undefined {
  for (const pattern of [WRAPPERS, NESTED_MODEL]) {
    const prefix = pattern.exec(names[0] ?? '')?.[0];
    if (prefix !== undefined && names.every((name) => name.startsWith(prefix))) return prefix;
  }
  return undefined;
}

/**
 * Refuses weights that were saved out of a wrapper: every name has a prefix, so that a model would lack all its
 * tensors.
 * @throws Blip2Error `MISSING_WEIGHT` with the prefix as `subject`.
 */
export function refuseWrapped(names: readonly string[], folder: string): void {
  const prefix = wrapperPrefix(names);
  if (prefix === undefined) return;
  throw new Blip2Error('MISSING_WEIGHT', `The names of all ${names.length} tensors begin with ${prefix}`, {
    where: folder,
    subject: prefix,
    got: (names[0] ?? '').slice(0, 200),
    fix: names.some((name) => ADAPTER.test(name))
      ? 'The weights contain an adapter: merge it (merge_and_unload of PEFT), then call save_pretrained'
      : 'They were saved out of a wrapper: call save_pretrained of the model inside it, or remove the prefix',
  });
}
