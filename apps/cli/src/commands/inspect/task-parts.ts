import type { ModelConfig } from '@blip2/blip2';

import type { TaskReport } from './checkpoint-report.ts';

const GENERATION = ['vision', 'qformer', 'projection', 'language'] as const;

/** The components that each command loads; the others are not read. Without prompts, no command generates text. */
export function taskParts(
  { modelType }: ModelConfig,
  hasLanguageModel: boolean,
  hasPrompts: boolean,
): readonly TaskReport[] {
  const generation = (hasPrompts ? ['caption', 'ask', 'chat', 'rank'] : []).map((task): TaskReport => ({
    task,
    parts: GENERATION,
  }));
  if (modelType === 'instructblip') return generation;
  if (hasLanguageModel) {
    return [
      ...generation,
      { task: 'heatmap', parts: ['vision', 'qformer'] },
      ...FEATURE_TASKS,
      { task: 'embed --part projection', parts: ['vision', 'qformer', 'projection'] },
    ];
  }
  return [
    { task: 'match', parts: ['vision', 'qformer', 'heads'] },
    { task: 'heatmap', parts: ['vision', 'qformer'] },
    ...FEATURE_TASKS,
    { task: 'embed --part image-proj', parts: ['vision', 'qformer', 'heads'] },
    { task: 'embed --part text, text-proj', parts: ['qformer', 'heads'] },
    { task: 'embed --part multimodal', parts: ['vision', 'qformer'] },
  ];
}

const FEATURE_TASKS: readonly TaskReport[] = [
  { task: 'embed --part vision', parts: ['vision'] },
  { task: 'embed --part qformer', parts: ['vision', 'qformer'] },
];
