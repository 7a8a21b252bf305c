import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{libs,services,examples,tests}/**/*.test.ts'],
    exclude: ['**/node_modules/**'],
    // Real servers and processes: only a hang reaches these.
    testTimeout: 60_000,
    hookTimeout: 180_000,
    maxWorkers: 2,
    reporters: ['default', './tests/summary-reporter.ts'],
  },
});
