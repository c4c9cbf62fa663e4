import { expect, test } from 'vitest';

import { bareQuestion, chatPrompt, questionPrompt, shortAnswerPrompt } from './prompt-templates.ts';

test('questions use the words of training', () => {
  expect(questionPrompt(' how many cats are there? ')).toBe('Question: how many cats are there? Answer:');
  expect(shortAnswerPrompt('how many cats are there?')).toBe('Question: how many cats are there? Short answer:');
  expect(bareQuestion(' as it is ')).toBe(' as it is ');
});

test('a conversation is its turns, each a sentence, and the next question', () => {
  expect(chatPrompt([], 'which city is this?')).toBe('Question: which city is this? Answer:');
  expect(
    chatPrompt(
      [
        { question: 'which city is this?', answer: 'singapore' },
        { question: 'why?', answer: 'it has a statue of a merlion' },
      ],
      'name?',
    ),
  ).toBe(
    'Question: which city is this? Answer: singapore. ' +
      'Question: why? Answer: it has a statue of a merlion. Question: name? Answer:',
  );
});
