import type { ExampleFault, ExampleImage, ExampleProblem, TrainingExample } from './training-example.ts';

/** Length of a text in messages. */
const SHOWN = 60;

/** Extensions of images, without their dot. */
export const IMAGE_EXTENSIONS: readonly string[] = ['jpg', 'jpeg', 'png', 'webp', 'gif', 'avif', 'tif', 'tiff', 'bmp'];

/** An object with a caption, or with a question and its answer, as JSON lines and archives have them. */
export function exampleOfRecord(
  { caption, question, answer }: Readonly<Record<string, unknown>>,
  where: string,
  image: ExampleImage,
): TrainingExample | ExampleProblem {
  const isCaption = caption !== undefined;
  const isAnswer = question !== undefined || answer !== undefined;
  const text = isCaption ? caption : answer;
  if (isCaption === isAnswer || typeof text !== 'string' || (isAnswer && typeof question !== 'string'))
    return problemOf(where, 'broken line', { caption, question, answer });
  if (text.trim() === '') return problemOf(where, isCaption ? 'empty caption' : 'empty answer', text);
  if (typeof question !== 'string') return { image, text: text.trim(), where };
  if (question.trim() === '') return problemOf(where, 'empty question', question);
  return { image, text: text.trim(), question: question.trim(), where };
}

/** Why an example cannot be used. */
export function problemOf(where: string, fault: ExampleFault, got: unknown): ExampleProblem {
  const text = typeof got === 'string' ? got : (JSON.stringify(got) ?? 'nothing');
  return { where, fault, got: text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : text };
}

/** The object in a text of JSON; undefined for anything else. */
export function parseRecord(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}
