import { describe, expect, test } from 'vitest';

import { copyDamaged } from '../fixtures/damaged-model.ts';
import { bash } from '../fixtures/spawn-blip2.ts';
import { temporaryFolder } from '../fixtures/temporary-folder.ts';
import { demoModelFolder, demoRetrievalFolder } from '../model/demo-model.ts';

const image = 'examples/left-of.png';

/** Runs a command with a copy of a demo checkpoint, `$MODEL`, whose tensor starts with NaN. */
async function runDamaged(checkpoint: string, tensor: string, line: string): ReturnType<typeof bash> {
  const at = await temporaryFolder();
  await copyDamaged(checkpoint, at('model'), tensor);
  return bash(line, { BLIP2_CACHE: at('cache'), MODEL: at('model'), OUT: at() });
}

const ENCODER = 'vision_model.post_layernorm.bias';
const WORDS = 'language_model.model.decoder.final_layer_norm.weight';

describe('a checkpoint with NaN in its weights', () => {
  test.each([
    ['vision encoder', ENCODER, `caption ${image}`],
    ['Q-Former', 'qformer.layernorm.bias', `caption ${image} --json`],
    ['language projection', 'language_projection.bias', `ask ${image} -q 'what is it?'`],
    ['language model', WORDS, `caption ${image}`],
    ['language model', WORDS, `rank ${image} -q 'what is it?' -c 'a star' -c 'a circle'`],
    ['vision encoder', ENCODER, `rank ${image} -q 'what is it?' -c 'a star' -c 'a circle' --json`],
    ['vision encoder', ENCODER, `heatmap ${image} -o "$OUT/map.png"`],
    ['language model', WORDS, `heatmap ${image} -t 'a star' --cells 4 -o "$OUT/map.png"`],
  ])('fails with the %s as the part: %s, %s', async (part, tensor, command) => {
    const run = await runDamaged(demoModelFolder, tensor, `blip2 ${command} --model "$MODEL" --threads 1 --quiet`);
    expect([run.exitCode, run.stdout, run.stderr]).toEqual([1, expect.not.stringContaining('null'), messageOf(part)]);
  });

  test.each([
    ['vision encoder', ENCODER, `match ${image} -t 'a star'`],
    ['retrieval head', 'itm_head.bias', `match ${image} -t 'a star' --json`],
    ['retrieval head', 'vision_projection.bias', `embed ${image} --json`],
    ['retrieval head', 'vision_projection.bias', `embed ${image} -o "$OUT/rows.npy"`],
    ['retrieval head', 'text_projection.bias', `embed -t 'a star' --json`],
    ['retrieval head', 'itm_head.bias', `heatmap ${image} -t 'a star' --cells 4 -o "$OUT/map.png"`],
  ])('of a retrieval model fails with the %s as the part: %s, %s', async (part, tensor, command) => {
    const run = await runDamaged(demoRetrievalFolder, tensor, `blip2 ${command} --model "$MODEL" --threads 1 --quiet`);
    expect([run.exitCode, run.stdout, run.stderr]).toEqual([1, expect.not.stringContaining('null'), messageOf(part)]);
  });

  test.each([
    ['vision encoder', 'vision', 'encode'],
    ['Q-Former', 'qformer', 'query'],
    ['language projection', 'projection', 'project'],
  ])('embed checks a %s of --module', async (part, name, method) => {
    const at = await temporaryFolder({
      'module.mjs': `export default { parts: async ({ parts }) => {
        const part = await parts.${name}();
        const { imageSize, hiddenSize, encoderHiddenSize, inFeatures, outFeatures } = part;
        const ${method} = async (input) => {
          const { type, dims, data } = await part.${method}(input);
          return { type, dims, data: data.map((value, index) => (index === 0 ? NaN : value)) };
        };
        return { ${name}: { imageSize, hiddenSize, encoderHiddenSize, inFeatures, outFeatures, ${method},
          [Symbol.asyncDispose]: async () => {} } };
      } };`,
    });
    const command = `blip2 embed ${image} --part projection --module '${at('module.mjs')}' --json --threads 1 --quiet`;
    const { exitCode, stdout, stderr } = await bash(`${command} --model '${demoModelFolder}'`);
    expect([exitCode, stdout, stderr]).toEqual([1, expect.not.stringContaining('null'), messageOf(part)]);
  });

  test.each([
    ['vision encoder', ENCODER],
    ['language model', WORDS],
  ])('fails in compare and bench with the %s as the part', async (part, tensor) => {
    const compare = `blip2 compare "$MODEL" ${image} --dtype fp32,q8 --threads 1 --quiet`;
    const { exitCode, stdout, stderr } = await runDamaged(demoModelFolder, tensor, compare);
    expect([exitCode, stdout, stderr]).toEqual([1, '', messageOf(part)]);
    const bench = await runDamaged(demoModelFolder, tensor, 'blip2 bench "$MODEL" --dtype fp32 --threads 1 --quiet');
    expect([bench.exitCode, bench.stdout, bench.stderr]).toEqual([1, '', messageOf(part)]);
  });
});

function messageOf(part: string): unknown {
  return expect.stringMatching(
    new RegExp(
      `NOT_FINITE.*The ${part} returned (a value that is not finite \\(NaN\\)|logits that are NaN or infinite)`,
    ),
  );
}
