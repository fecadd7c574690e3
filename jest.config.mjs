const MINUTE = 60_000

const project = (name, testTimeout) => ({
  globals: { testTimeout },
  setupFilesAfterEnv: ['<rootDir>/__tests__/support/timeout.mjs'],
  displayName: name,
  testEnvironment: 'node',
  testMatch: [`<rootDir>/__tests__/${name}/**/*.test.ts`],
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': '<rootDir>/__tests__/support/esbuild-transform.mjs' },
  modulePathIgnorePatterns: ['<rootDir>/dist/', '<rootDir>/out/']
})

export default {
  projects: [project('unit', 5_000), project('host', 5 * MINUTE), project('e2e', 20 * MINUTE)]
}
