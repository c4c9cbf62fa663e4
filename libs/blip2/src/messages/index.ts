export { choiceJson, type ChoiceSchema, choiceSchema, type ChoiceValue } from './choice-schema.ts';
export {
  type ChatMessage,
  type ImageConversation,
  type MessageImage,
  onlyImage,
  toConversation,
} from './conversation.ts';
export { generationSettings, type SamplingFields } from './generation-settings.ts';
export { fittingTokens, type ImagePrompt, promptLength, promptText } from './image-prompt.ts';
export { createStopText, type StopText } from './stop-text.ts';
