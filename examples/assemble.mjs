// Assembles a pipeline from its parts and prints the shapes between them.
//   node examples/assemble.mjs [MODEL] [IMAGE]
import { fileURLToPath } from 'node:url';

import { createBlip2 } from '@blip2/blip2';
import { OptForCausalLM } from '@blip2/language';
import { Blip2Processor } from '@blip2/processor';
import { Blip2QFormerModel, LanguageProjection } from '@blip2/qformer';
import { Blip2VisionModel } from '@blip2/vision';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const [model = here('../apps/cli/models/blip2-opt-shapes'), image = here('left-of.png')] = process.argv.slice(2);

const vision = await Blip2VisionModel.fromPretrained(model);
const qformer = await Blip2QFormerModel.fromPretrained(model);
const projection = await LanguageProjection.fromPretrained(model);
const language = await OptForCausalLM.fromPretrained(model);
const processor = await Blip2Processor.fromPretrained(model);

const { pixelValues } = await processor.process({ images: image });
const patches = await vision.encode(pixelValues);
const queries = await qformer.query(patches);
const prefix = await projection.project(queries);
for (const [name, { dims }] of Object.entries({ pixelValues, patches, queries, prefix }))
  console.log(`${name} [${dims.join(', ')}]`);

const blip2 = createBlip2({ vision, qformer, projection, language, processor });
console.log((await blip2.caption(image)).text);
await blip2.dispose();
