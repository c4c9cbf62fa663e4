// Words that the model is not to write, and an end after three of them: blip2 caption left-of.png --module
// examples/module-without-colors.mjs
const COLORS = ['red', 'green', 'blue', 'yellow', 'orange', 'purple', 'black', 'white'];

/** @type {import('@blip2/cli').Blip2Module} */
export default {
  logitsProcessors({ processor: { tokenizer } }) {
    const banned = COLORS.flatMap((color) => tokenizer.encode(` ${color}`, { addSpecialTokens: false }).slice(0, 1));
    return [(_ids, scores) => banned.forEach((id) => (scores[id] = -Infinity))];
  },
  stoppingCriteria: () => [(newIds) => newIds.length >= 3],
  questionTemplate: (question) => `Question: ${question.trim()} Answer:`,
};
