// Jest takes testTimeout for all projects alone; each has its own here.
import { jest } from '@jest/globals'

jest.setTimeout(globalThis.testTimeout)
