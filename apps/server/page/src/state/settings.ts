export type Theme = 'system' | 'light' | 'dark';

/** What the user has chosen. */
export interface Settings {
  readonly theme: Theme;
  /** Empty: the first model that generates texts. */
  readonly textModel: string;
  /** Empty: the first retrieval model. */
  readonly matchModel: string;
  /** As typed; empty: the default of the server. */
  readonly generation: Readonly<Record<string, string>>;
  readonly apiKey: string;
}

export const DEFAULT_SETTINGS: Settings = {
  theme: 'system',
  textModel: '',
  matchModel: '',
  generation: {},
  apiKey: '',
};

const NAME = 'blip2-settings';

/** Reads what was saved in this browser. The key is kept for the tab only. */
export function loadSettings(): Settings {
  const { theme, textModel, matchModel, generation } = read(() => localStorage);
  const { apiKey } = read(() => sessionStorage);
  return {
    theme: theme === 'light' || theme === 'dark' ? theme : 'system',
    textModel: typeof textModel === 'string' ? textModel : '',
    matchModel: typeof matchModel === 'string' ? matchModel : '',
    generation: Object.fromEntries(
      Object.entries(Object(generation) as object).filter(([, value]) => typeof value === 'string'),
    ),
    apiKey: typeof apiKey === 'string' ? apiKey : '',
  };
}

export function saveSettings({ apiKey, ...settings }: Settings): void {
  write(() => localStorage, settings);
  write(() => sessionStorage, { apiKey });
}

function read(storage: () => Storage): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(storage().getItem(NAME) ?? '{}')) as Readonly<Record<string, unknown>>;
  } catch {
    // Browsers can forbid storage, and others can write to it.
    return {};
  }
}

function write(storage: () => Storage, value: object): void {
  try {
    storage().setItem(NAME, JSON.stringify(value));
  } catch {
    // The settings then last until the page is closed.
  }
}
