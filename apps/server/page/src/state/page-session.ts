import { type ApiClient, createClient } from '../api/client.ts';
import type { ServerModel } from '../api/types.ts';
import { generationFields } from './generation-settings.ts';
import { isImage, type PageImage } from './image-files.ts';
import { type ModelChoice, modelFor, type Task } from './model-choice.ts';
import { loadSettings, saveSettings, type Settings } from './settings.ts';

/** A heat map that is drawn over the selected image. */
export interface ShownHeatmap {
  readonly image: PageImage;
  readonly rows: number;
  readonly columns: number;
  /** In [0, 1]. */
  readonly shares: readonly number[];
  /** The largest contribution, in the unit of the score. */
  readonly largest: number;
  readonly unit: string;
  readonly text: string;
}

/** The state that the elements of the page share. Elements are notified of every change. */
export class PageSession {
  readonly client: ApiClient = createClient({
    apiKey: () => this.#settings.apiKey,
    onConnection: (isConnected) => {
      if (isConnected === this.#isConnected) return;
      this.#isConnected = isConnected;
      this.#changed();
    },
  });
  readonly #listeners = new Set<() => void>();
  #settings = loadSettings();
  #images: readonly PageImage[] = [];
  #selected: PageImage | undefined;
  #models: readonly ServerModel[] = [];
  #modelsError: unknown;
  #isConnected = true;
  #heatmap: ShownHeatmap | undefined;
  #announcement = '';
  #nextId = 1;

  get settings(): Settings {
    return this.#settings;
  }
  get images(): readonly PageImage[] {
    return this.#images;
  }
  get selected(): PageImage | undefined {
    return this.#selected;
  }
  get models(): readonly ServerModel[] {
    return this.#models;
  }
  /** Why the models are not known. */
  get modelsError(): unknown {
    return this.#modelsError;
  }
  get isConnected(): boolean {
    return this.#isConnected;
  }
  /** The heat map of the selected image, if one is shown. */
  get heatmap(): ShownHeatmap | undefined {
    return this.#heatmap?.image === this.#selected ? this.#heatmap : undefined;
  }
  /** What screen readers are told. */
  get announcement(): string {
    return this.#announcement;
  }

  /** Calls `listener` after each change, until the result is called. */
  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  modelFor(task: Task): ModelChoice {
    return modelFor(task, this.#models, this.#settings);
  }

  get generation(): ReturnType<typeof generationFields> {
    return generationFields(this.#settings.generation);
  }

  changeSettings(part: Partial<Settings>): void {
    this.#settings = { ...this.#settings, ...part };
    saveSettings(this.#settings);
    this.#changed();
  }

  async loadModels(): Promise<void> {
    try {
      this.#models = await this.client.models();
      this.#modelsError = undefined;
    } catch (error) {
      this.#modelsError = error;
    }
    this.#changed();
  }

  /** Adds the images among files, and selects the first of them. */
  addFiles(files: readonly File[]): void {
    const images = files
      .filter(isImage)
      .map((file) => ({ id: this.#nextId++, name: file.name, file, url: URL.createObjectURL(file) }));
    const skipped = files.length - images.length;
    if (images.length > 0) {
      this.#images = [...this.#images, ...images];
      this.#selected = images[0];
    }
    const added = `${counted(images.length, 'image')} added.`;
    this.announce(skipped === 0 ? added : `${added} ${counted(skipped, 'file')} skipped: not an image.`);
  }

  select(image: PageImage): void {
    this.#selected = image;
    this.#changed();
  }

  /** Removes an image and selects the next one. */
  remove(image: PageImage): void {
    const at = this.#images.indexOf(image);
    URL.revokeObjectURL(image.url);
    this.#images = this.#images.filter((other) => other !== image);
    if (this.#selected === image) this.#selected = this.#images[Math.min(at, this.#images.length - 1)];
    this.announce(`${image.name} removed.`);
  }

  removeAll(): void {
    for (const { url } of this.#images) URL.revokeObjectURL(url);
    [this.#images, this.#selected, this.#heatmap] = [[], undefined, undefined];
    this.announce('All images removed.');
  }

  showHeatmap(heatmap: ShownHeatmap | undefined): void {
    this.#heatmap = heatmap;
    this.#changed();
  }

  announce(text: string): void {
    this.#announcement = text;
    this.#changed();
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** `1 image`, `2 images`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
