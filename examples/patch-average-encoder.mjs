/**
 * A custom vision encoder: the mean color of each patch, repeated up to the width that the Q-Former expects. It was not
 * trained with any Q-Former, so the generated texts are meaningless.
 * @param {{ imageSize: number, patchSize: number, hiddenSize: number }} size
 * @returns {import('@blip2/interfaces').VisionEncoder}
 */
export function createPatchAverageEncoder({ imageSize, patchSize, hiddenSize }) {
  const side = imageSize / patchSize;
  return {
    imageSize,
    hiddenSize,
    async encode({ dims: [batch, channels], data }) {
      const patches = new Float32Array(batch * side * side * hiddenSize);
      for (let patch = 0; patch < batch * side * side; patch++) {
        const [image, row, column] = [Math.floor(patch / side ** 2), Math.floor(patch / side) % side, patch % side];
        const means = Array.from({ length: channels }, (_, channel) => {
          let sum = 0;
          for (let y = row * patchSize; y < (row + 1) * patchSize; y++) {
            for (let x = column * patchSize; x < (column + 1) * patchSize; x++)
              sum += data[((image * channels + channel) * imageSize + y) * imageSize + x];
          }
          return sum / patchSize ** 2;
        });
        for (let feature = 0; feature < hiddenSize; feature++)
          patches[patch * hiddenSize + feature] = means[feature % channels];
      }
      return { type: 'float32', dims: [batch, side * side, hiddenSize], data: patches };
    },
    async [Symbol.asyncDispose]() {},
  };
}
