import { resolve } from 'node:path';
import { defineConfig, type Options } from 'tsup';

/** The one file of zigbee-on-host that zigbee-herdsman loads with every adapter. */
const GREEN_POWER = /^zigbee-on-host\/dist\/zigbee\/zigbee$/;

/**
 * What is published: the library, the command line and the coordinator's worker process. Declarations come
 * from tsc.
 *
 * zigbee-herdsman is bundled into the worker, everything else is installed beside the package: installed,
 * herdsman 11 would ask for a release of zigbee-on-host that registries may not have, and an override works
 * only in a root project. zigbee-on-host itself (GPL, used by the `zoh` adapter alone) is never bundled:
 * who wants that adapter installs it.
 */
/** For a run of all tests: what starts a thousand times looks for its libraries but once. Never published. */
const ALL_IN = process.env['UPLIFT_ALL_IN'] ? [/^(?!@?serialport|pg-native)/] : [];

const SHARED: Options = {
  format: 'esm',
  target: 'node24',
  platform: 'node',
  // There is no module `sqlite`, only `node:sqlite`.
  removeNodeProtocol: false,
  sourcemap: true,
  dts: false,
  noExternal: [
    ...ALL_IN,
    GREEN_POWER,
    'zigbee-herdsman',
    '@date-fns/tz',
    '@serialport/stream',
    'bonjour-service',
    'debounce',
    'fast-deep-equal',
    'slip',
  ],
  esbuildPlugins: [
    {
      name: 'no-green-power',
      setup(build) {
        build.onResolve({ filter: GREEN_POWER }, () => ({
          path: resolve('src/transport/zigbee/no-green-power.ts'),
        }));
      },
    },
  ],
  external: ['zigbee-on-host', 'zigbee-on-host/dist/utils/logger', '@serialport/bindings-cpp'],
  // The bundled CommonJS modules ask for Node's own by require, and herdsman's backup reads the version of
  // the package it is in from the package.json two folders up.
  banner: {
    js: [
      "import { createRequire as createNodeRequire } from 'node:module';",
      'const require = createNodeRequire(import.meta.url);',
      "const __dirname = import.meta.dirname + '/driver';",
    ].join(' '),
  },
};

export default defineConfig([
  {
    ...SHARED,
    clean: true,
    entry: { index: 'src/index.ts', cli: 'src/cli/main.ts' },
    // A command loads what it needs: all in one file, each would load the libraries of all.
    splitting: true,
  },
  {
    ...SHARED,
    entry: { 'zigbee-worker': 'src/transport/zigbee/worker.ts' },
    // Split off, herdsman's adapters would lose their names: a CommonJS module imported so has a default alone.
    splitting: false,
  },
]);
