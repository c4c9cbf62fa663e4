/** A blob as a `data:` URL in base64, which is how images are sent. */
export function dataUrl(blob: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error ?? new DOMException('The file cannot be read', 'NotReadableError'));
    reader.readAsDataURL(blob);
  });
}
