/** An independent check found that what was read is not what was promised. */
export class BrokenPromise extends Error {
  override readonly name: string = 'BrokenPromise';
}
