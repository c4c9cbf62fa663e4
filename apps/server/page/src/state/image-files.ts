/** An image of the user. */
export interface PageImage {
  readonly id: number;
  readonly name: string;
  readonly file: Blob;
  /** Address of the file in this page. */
  readonly url: string;
}

const EXTENSIONS = /\.(?:avif|bmp|gif|heic|heif|jfif|jpe?g|png|svg|tiff?|webp)$/i;

/** Whether a file is an image by its type, or by its name if it has none. */
export function isImage({ type, name }: File): boolean {
  return type.startsWith('image/') || (type === '' && EXTENSIONS.test(name));
}

/** The files of a drop, those in dropped folders included. */
export async function droppedFiles(transfer: DataTransfer): Promise<File[]> {
  // Entries must be taken before anything is awaited: the list is emptied when the event has been handled.
  const entries = [...transfer.items].flatMap((item) => item.webkitGetAsEntry() ?? []);
  if (entries.length === 0) return [...transfer.files];
  return (await Promise.all(entries.map(filesIn))).flat();
}

async function filesIn(entry: FileSystemEntry): Promise<File[]> {
  if (entry.isFile) {
    const { file } = { file: (entry as FileSystemFileEntry).file.bind(entry) };
    return [await new Promise<File>((resolve, reject) => file(resolve, reject))];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const entries: FileSystemEntry[] = [];
  // A reader returns at most 100 entries at a time, and an empty list at the end.
  for (;;) {
    const more = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (more.length === 0) break;
    entries.push(...more);
  }
  return (await Promise.all(entries.map(filesIn))).flat();
}
