/** Puts a question into the words that a model was trained to answer. */
export type PromptTemplate = (question: string) => string;

/** A question of a conversation and what was answered. */
export interface Turn {
  /** Trimmed, without the words of any template. */
  readonly question: string;
  /** What the model wrote, trimmed. */
  readonly answer: string;
}

/** How a conversation becomes a prompt for its next question. */
export type ChatTemplate = (history: readonly Turn[], question: string) => string;

/**
 * How the model was asked questions in training (arXiv 2301.12597, section 4.2; the prompt of the reference's
 * examples). The default of `answer`.
 */
export function questionPrompt(question: string): string {
  return `Question: ${question.trim()} Answer:`;
}

/** How LAVIS asks for one or two words (`predict_answers`): what Flan-T5 was evaluated with. */
export function shortAnswerPrompt(question: string): string {
  return `Question: ${question.trim()} Short answer:`;
}

/**
 * A question after a conversation: the turns before it, each a sentence, joined by spaces (the template of LAVIS's
 * instructed generation).
 */
export function chatPrompt(history: readonly Turn[], question: string): string {
  return [...history.map((turn) => `${questionPrompt(turn.question)} ${turn.answer}.`), questionPrompt(question)].join(
    ' ',
  );
}

/**
 * The same for models that follow instructions: the first question as it is, and from then on the conversation in the
 * words of `chatPrompt`.
 */
export function instructChatPrompt(history: readonly Turn[], question: string): string {
  return history.length === 0 ? question.trim() : chatPrompt(history, question);
}

/** The question as it is, for experts and for models that were trained on bare instructions. */
export function bareQuestion(question: string): string {
  return question;
}
