/** How the model was asked questions in training (arXiv 2301.12597, section 4.2; the prompt of the reference's examples). */
export function questionPrompt(question: string): string {
  return `Question: ${question.trim()} Answer:`;
}
