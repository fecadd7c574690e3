import { randomBytes } from 'node:crypto'
import type { Host } from './host.ts'

/** Rounds of SHA-512 crypt; twenty times the default, some tens of milliseconds at a login. */
const ROUNDS = 100_000

/**
 * Hashes a password for shadow(5). SHA-512 crypt is the strongest scheme that every C library of a guest knows (musl has no
 * yescrypt). The password goes through standard input: an argv is visible to every user of the machine.
 */
export async function hashPassword(host: Host, password: string): Promise<string> {
  const salt = `rounds=${ROUNDS}$${randomBytes(12).toString('base64').replaceAll('+', '.').replaceAll('=', '')}`
  const hashed = await host.run(['openssl', 'passwd', '-6', '-salt', salt, '-stdin'], {
    input: `${password}\n`
  })
  return hashed.stdout.trim()
}
