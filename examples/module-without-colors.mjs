// A module that bans color words and stops after three tokens.
//   blip2 caption left-of.png --module examples/module-without-colors.mjs
const COLORS = ['red', 'green', 'blue', 'yellow', 'orange', 'purple', 'black', 'white'];

/** @type {import('@blip2/cli').Blip2Module} */
export default {
  logitsProcessors({ processor: { tokenizer } }) {
    const banned = COLORS.flatMap((color) => tokenizer.encode(` ${color}`, { addSpecialTokens: false }).slice(0, 1));
    return [(_ids, logits) => banned.forEach((id) => (logits[id] = -Infinity))];
  },
  stoppingCriteria: () => [(newIds) => newIds.length >= 3],
  questionTemplate: (question) => `Question: ${question.trim()} Answer:`,
};
