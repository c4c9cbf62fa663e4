/** An encoded image of an example. */
export interface ExampleImage {
  /** Its path or name, for messages. */
  readonly name: string;
  /**
   * The bytes of the file.
   * @throws Blip2Error `MISSING_FILE`.
   */
  read(): Promise<Uint8Array>;
}

/** An image, and the text that is to be generated for it. */
export interface TrainingExample {
  readonly image: ExampleImage;
  /** A question about the image; absent for a caption. */
  readonly question?: string;
  /** The caption, or the answer to the question. */
  readonly text: string;
  /** Where it was found, such as `pairs.jsonl, line 3`. */
  readonly where: string;
}

/** Why an example cannot be used. */
export type ExampleFault =
  'broken line' | 'empty caption' | 'empty question' | 'empty answer' | 'missing image' | 'broken image' | 'too long';

/** An example that cannot be used. */
export interface ExampleProblem {
  readonly where: string;
  readonly fault: ExampleFault;
  /** The file or the text concerned. */
  readonly got: string;
}

/** Examples, and what was found in their place. */
export interface FoundExamples {
  readonly examples: readonly TrainingExample[];
  readonly problems: readonly ExampleProblem[];
}

/** Examples that stay readable until they are disposed of. */
export interface OpenedExamples extends FoundExamples, AsyncDisposable {}
