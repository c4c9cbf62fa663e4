import type { Blip2Parts, ChatTemplate, CheckpointParts, PromptTemplate } from '@blip2/blip2';
import type { LogitsProcessor, StoppingCriterion } from '@blip2/interfaces';
import type { Blip2Processor } from '@blip2/processor';

/** What a module is told of the checkpoint that the command names. */
export interface Blip2ModuleContext {
  /** The checkpoint's folder. */
  readonly folder: string;
  readonly config: CheckpointParts['config'];
  /**
   * The checkpoint's own parts, to put something around them; each is loaded when it is asked for. They stand in for
   * parts in another thread: take members by name, a spread (`...part`) has not all.
   */
  readonly parts: Pick<CheckpointParts, 'vision' | 'qformer' | 'projection' | 'language'>;
  readonly processor: Blip2Processor;
  /** Of the command: Ctrl-C. */
  readonly signal: AbortSignal;
}

/**
 * The default export of a file that `--module` names: what takes the place of something of the checkpoint, or is added
 * to it. Everything may be left out.
 * Functions are called once, when the model is loaded.
 */
export interface Blip2Module {
  /**
   * Parts in place of the checkpoint's, which are then not loaded. They run on the command's own thread and are
   * disposed of with the model.
   * Widths of neighbours are compared at once (`SHAPE_MISMATCH`).
   */
  readonly parts?: (context: Blip2ModuleContext) => Partial<Blip2Parts> | Promise<Partial<Blip2Parts>>;
  /** Rewrite the scores of the next token, after those that options ask for. Not for `rank`, which writes nothing. */
  readonly logitsProcessors?: (
    context: Blip2ModuleContext,
  ) => readonly LogitsProcessor[] | Promise<readonly LogitsProcessor[]>;
  /** End a text beside what options ask for. Not for `rank`. */
  readonly stoppingCriteria?: (
    context: Blip2ModuleContext,
  ) => readonly StoppingCriterion[] | Promise<readonly StoppingCriterion[]>;
  /** The words around a question, of `ask` and `rank`; not with `--raw-prompt`. */
  readonly questionTemplate?: PromptTemplate;
  /** How a conversation becomes a prompt, of `chat`. */
  readonly chatTemplate?: ChatTemplate;
}
