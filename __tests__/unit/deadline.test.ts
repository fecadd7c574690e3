import { INTERRUPTED, interruptible, within } from '../../src/deadline.ts'

describe('work that computes without end', () => {
  test('is stopped', () => {
    const line = `${'a'.repeat(60)}!`
    const begin = performance.now()
    expect(() => interruptible(200, () => /(a+)+$/.test(line))).toThrow(
      expect.objectContaining({ code: INTERRUPTED })
    )
    expect(performance.now() - begin).toBeGreaterThanOrEqual(199)
  })

  test('gives what it gives when it ends', () => {
    const lines = ['a']
    expect(interruptible(2000, () => lines)).toBe(lines)
    expect(() =>
      interruptible(2000, () => {
        throw new TypeError('its own')
      })
    ).toThrow(new TypeError('its own'))
  })
})

describe('work that is waited for', () => {
  const never = new Promise<never>(() => {})
  const open = new AbortController().signal

  test('gives what it gives in time', async () => {
    await expect(within(1000, open, Promise.resolve(1))).resolves.toBe(1)
    await expect(within(1000, open, Promise.reject(new Error('its own')))).rejects.toThrow('its own')
  })

  test('is waited for no longer than the limit', async () => {
    await expect(within(20, open, never)).rejects.toThrow('the service did not finish within 0 seconds')
  })

  test('is not waited for by a cancelled run', async () => {
    const cancellation = new AbortController()
    const waiting = within(1000, cancellation.signal, never)
    cancellation.abort(new Error('cancelled'))
    await expect(waiting).rejects.toThrow('cancelled')
    await expect(within(1000, cancellation.signal, never)).rejects.toThrow('cancelled')
  })
})
