/* Contexts of `node:vm`, in which Jest and the vm pools of Vitest run code, lack these symbols before Node 24. */

/** The global objects of the main context; undefined outside Node. */
const main: typeof globalThis | undefined = globalThis.process
  ?.getBuiltinModule('node:vm')
  .runInThisContext('globalThis');

for (const name of ['dispose', 'asyncDispose'] as const)
  if (!(name in Symbol) && main) Object.defineProperty(Symbol, name, { value: main.Symbol[name] });
