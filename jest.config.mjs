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
  testSequencer: '<rootDir>/__tests__/support/sequencer.mjs',
  projects: [
    project('unit', 5_000),
    project('host', 5 * MINUTE),
    // Runs that leave the machine as it is, several at once.
    project('e2e', 20 * MINUTE),
    // Runs that take programs, loop devices, space or servers away from the machine: one at a time, nothing beside them.
    project('exclusive', 20 * MINUTE)
  ]
}
