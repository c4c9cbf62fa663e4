import type { Blip2Parts, ChatTemplate, CheckpointParts, ModelConfig, PromptTemplate } from '@blip2/blip2';
import type { LogitsProcessor, StoppingCriterion } from '@blip2/interfaces';
import type { Blip2Processor, InstructBlipProcessor } from '@blip2/processor';

/** The checkpoint of the command, as passed to a module. */
export interface Blip2ModuleContext {
  /** The checkpoint's folder. */
  readonly folder: string;
  readonly config: ModelConfig;
  /**
   * The checkpoint's own parts, for wrapping. Each is loaded when its function is called. The parts are proxies of
   * objects on another thread: read members by name, because a spread (`...part`) misses some.
   */
  readonly parts: Pick<CheckpointParts, 'vision' | 'qformer' | 'projection' | 'language'>;
  readonly processor: Blip2Processor | InstructBlipProcessor;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
}

/**
 * Default export of the file of `--module`: custom components that replace those of the checkpoint or extend
 * generation. Every member is optional. `parts`, `logitsProcessors` and `stoppingCriteria` are called once, when the
 * model is loaded.
 */
export interface Blip2Module {
  /**
   * Returns parts that replace those of the checkpoint, which are then not loaded. They run on the main thread and are
   * disposed of with the model. If the widths of two neighbours differ, loading fails with `SHAPE_MISMATCH`.
   */
  readonly parts?: (context: Blip2ModuleContext) => Partial<Blip2Parts> | Promise<Partial<Blip2Parts>>;
  /** Returns processors of the next token's logits; they run after those of the options. Not used by `rank`. */
  readonly logitsProcessors?: (
    context: Blip2ModuleContext,
  ) => readonly LogitsProcessor[] | Promise<readonly LogitsProcessor[]>;
  /** Returns stopping criteria in addition to those of the options. Not used by `rank`. */
  readonly stoppingCriteria?: (
    context: Blip2ModuleContext,
  ) => readonly StoppingCriterion[] | Promise<readonly StoppingCriterion[]>;
  /** Converts a question of `ask` or `rank` to a prompt. Not used with `--raw-prompt`. */
  readonly questionTemplate?: PromptTemplate;
  /** Converts a conversation of `chat` to a prompt. */
  readonly chatTemplate?: ChatTemplate;
}
