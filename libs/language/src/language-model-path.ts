/** Path of the language model in the checkpoint of a full model. */
export const LANGUAGE_MODEL_PATH = 'language_model';
