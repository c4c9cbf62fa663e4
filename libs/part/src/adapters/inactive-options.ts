/** Options of PEFT that only matter during training, or describe the adapter. */
export const IGNORED_OPTIONS: ReadonlySet<string> = new Set([
  'auto_mapping',
  'base_model_class',
  'base_model_name_or_path',
  'inference_mode',
  'loftq_config',
  'lora_dropout',
  'megatron_core',
  'parent_library',
  'peft_version',
  'qalora_group_size',
  'revision',
  'runtime_config',
  'task_type',
  // PEFT adapts it to the kind of each layer, and so does this package.
  'fan_in_fan_out',
  // Configurations of initializations, which `init_lora_weights` requests.
  'corda_config',
  'eva_config',
  'lora_ga_config',
  'enable_lora',
  'merge_weights',
]);

/** Options that are applied. */
export const APPLIED_OPTIONS: ReadonlySet<string> = new Set([
  'alpha_pattern',
  'bias',
  'exclude_modules',
  'init_lora_weights',
  'layers_pattern',
  'layers_to_transform',
  'lora_alpha',
  'lora_bias',
  'modules_to_save',
  'peft_type',
  'r',
  'rank_pattern',
  'target_modules',
  'use_dora',
  'use_rslora',
]);

/** Why an active option is refused. Other unknown options are refused without a reason. */
export const REFUSED_OPTIONS: Readonly<Record<string, string>> = {
  alora_invocation_tokens: 'activated LoRA depends on the tokens of the prompt and cannot be merged',
  arrow_config: 'the routing of Arrow depends on the input and cannot be merged',
  ensure_weight_tying: 'the adapters of tied layers are not tied',
  kasa_config: 'KaSA changes the base weights',
  layer_replication: 'it adds layers to the base model',
  megatron_config: 'the layers of Megatron are not supported',
  monteclora_config: 'MonteCLoRA samples its weights',
  target_parameters: 'updates of parameters that are not weights of a layer are not supported',
  trainable_token_indices: 'tokens that were trained alone are not supported',
  use_bdlora: 'block-diagonal LoRA is not supported',
  use_qalora: 'QALoRA pools the inputs of a layer and cannot be merged',
  velora_config: 'VeLoRA is not supported',
};

/** Initializations that leave the base weights as they are. */
export const HARMLESS_INITIALIZATIONS: ReadonlySet<unknown> = new Set([
  true,
  false,
  null,
  undefined,
  'gaussian',
  'eva',
  'orthogonal',
  'mica',
]);

/** Whether a value of an option means that it is not used. */
export function isInactive(value: unknown): boolean {
  if (value === null || value === undefined || value === false || value === '') return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
