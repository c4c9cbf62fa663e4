/** Wraps a question in the words that a model was trained to answer. */
export type PromptTemplate = (question: string) => string;

/** A question of a conversation and its answer. */
export interface Turn {
  /** Trimmed, without the words of the template. */
  readonly question: string;
  /** The text that the model generated, trimmed. */
  readonly answer: string;
}

/** Turns a conversation into the prompt of its next question. */
export type ChatTemplate = (history: readonly Turn[], question: string) => string;

/**
 * The question prompt of the paper (arXiv 2301.12597, section 4.2) and of the examples of Hugging Face Transformers.
 * The default of `answer`.
 */
export function questionPrompt(question: string): string {
  return `Question: ${question.trim()} Answer:`;
}

/** The prompt of LAVIS for answers of one or two words (`predict_answers`), used to evaluate Flan-T5. */
export function shortAnswerPrompt(question: string): string {
  return `Question: ${question.trim()} Short answer:`;
}

/**
 * A question after a conversation: the previous turns, each as a sentence, joined by spaces. Source: the template of
 * LAVIS for instructed generation.
 */
export function chatPrompt(history: readonly Turn[], question: string): string {
  return [...history.map((turn) => `${questionPrompt(turn.question)} ${turn.answer}.`), questionPrompt(question)].join(
    ' ',
  );
}

/** The chat prompt for instruction-tuned models: the bare question first, `chatPrompt` from the second turn on. */
export function instructChatPrompt(history: readonly Turn[], question: string): string {
  return history.length === 0 ? question.trim() : chatPrompt(history, question);
}

/** The question itself, for custom prompts and for models that were trained on bare instructions. */
export function bareQuestion(question: string): string {
  return question;
}
