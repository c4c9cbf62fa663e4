import { defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  // Relative, so that the page also works under a path of a proxy.
  base: './',
  logLevel: 'warn',
  // `sideEffects` of the package is about the server; the modules of the page define elements and add styles.
  plugins: [{ name: 'side-effects', transform: (code) => ({ code, map: null, moduleSideEffects: true }) }],
  build: {
    target: 'es2022',
    // The content security policy allows files of the server only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    license: { fileName: 'third-party-licences.txt' },
  },
  server: { proxy: { '/v1': process.env['BLIP2_SERVER'] ?? 'http://127.0.0.1:8080' } },
});
