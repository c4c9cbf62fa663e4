/** Which modules a base model has, and where. */
export interface BaseModules {
  /** Whether the checkpoint has a module or a tensor of this name, or a tied one that stands in for it. */
  has(name: string): boolean;
  /** Paths of parts that an adapter for a part alone may belong to. */
  readonly paths: readonly string[];
  /** The path of the part if the checkpoint holds this part alone, and its names have no path. */
  readonly root?: string;
}

/** Classes of Hugging Face Transformers with and without a head have these segments in front of the same names. */
const BODIES = ['model', 'transformer', 'vit', 'dinov2'] as const;
/**
 * Modules of ViT and DINOv2 have other names in Transformers 5 than in version 4, which their checkpoints keep. Each
 * list is a step: DINOv2 has only the first.
 */
const RENAMED: readonly (readonly (readonly [RegExp, string])[])[] = [
  [
    [/\.attention\.q_proj(?=$|\.)/, '.attention.attention.query'],
    [/\.attention\.k_proj(?=$|\.)/, '.attention.attention.key'],
    [/\.attention\.v_proj(?=$|\.)/, '.attention.attention.value'],
    [/\.attention\.o_proj(?=$|\.)/, '.attention.output.dense'],
  ],
  [
    [/^((?:.*\.)?)layers\.(?=\d)/, '$1encoder.layer.'],
    [/\.mlp\.fc1(?=$|\.)/, '.intermediate.dense'],
    [/\.mlp\.fc2(?=$|\.)/, '.output.dense'],
  ],
];

/**
 * The name in a checkpoint of a module, or a tensor, of an adapter. The adapter may have been trained on the whole
 * model or on the part alone, with or without a head. Undefined if the checkpoint lacks it.
 */
export function nameInBase(name: string, { has, paths, root }: BaseModules): string | undefined {
  for (const variant of variantsOf(name)) {
    const own = root !== undefined && variant.startsWith(`${root}.`) ? variant.slice(root.length + 1) : variant;
    const found = [own, ...paths.map((path) => `${path}.${own}`)].find(has);
    if (found !== undefined) return found;
  }
  return undefined;
}

function variantsOf(name: string): readonly string[] {
  const names = [name];
  for (const step of RENAMED)
    names.push(step.reduce((renamed, [from, to]) => renamed.replace(from, to), names.at(-1) ?? name));
  return [...new Set(names)].flatMap((each) => {
    const body = BODIES.find((segment) => each.startsWith(`${segment}.`));
    return [each, ...(body ? [each.slice(body.length + 1)] : BODIES.map((segment) => `${segment}.${each}`))];
  });
}

const PARTS =
  'vision_model|qformer|embeddings|language_model|language_projection|vision_projection|text_projection|itm_head';
const PART_NAME = new RegExp(`^(?:model\\.)?(?<part>${PARTS})(?=\\.|$)`);

/** The part of a whole model that a name belongs to, if it starts with the path of one. */
export function partOfName(name: string): string | undefined {
  return PART_NAME.exec(name)?.groups?.['part'];
}
