/** Path of the vision encoder in the checkpoint of a BLIP-2 model, whatever its family. */
export const PATH_IN_BLIP2 = 'vision_model';
