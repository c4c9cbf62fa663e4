// Encodes a picture once, ranks answers to a question and holds a conversation, written as it comes: node examples/conversation.mjs [MODEL] [PICTURE]
import { fileURLToPath } from 'node:url';
import { Blip2 } from '@blip2/blip2';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const [model = here('../apps/cli/models/blip2-opt-shapes'), picture = here('left-of.png')] = process.argv.slice(2);

const blip2 = await Blip2.fromPretrained(model);
const image = await blip2.encode(picture);

for (const { text, probability } of await blip2.rank(image, 'what color is the triangle?', ['red', 'blue', 'green'])) {
  console.log(`${text} ${probability.toFixed(2)}`);
}

const conversation = await blip2.chat(image);
for (const question of ['what shape is on the left?', 'how many objects are there?']) {
  process.stdout.write(`${question} `);
  for await (const piece of conversation.ask(question)) process.stdout.write(piece);
  process.stdout.write('\n');
}

await conversation.dispose();
await blip2.dispose();
