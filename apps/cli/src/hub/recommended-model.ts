/** The checkpoint that the documentation recommends, because all its components may be used commercially. */
export const RECOMMENDED_MODEL = 'Salesforce/blip2-flan-t5-xl';
