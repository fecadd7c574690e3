import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PLUGIN = 'usr/libexec/docker/cli-plugins/docker-buildx'
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'

/**
 * Puts the buildx plugin into a home folder, from Debian 13's package: Debian 12 has none, and the package's program runs
 * there. Leaves the machine's own package lists alone.
 */
export function installBuildx(home: string): void {
  const folder = mkdtempSync(join(tmpdir(), 'buildx-'))
  const inside = (path: string): string => join(folder, path)
  try {
    mkdirSync(inside('lists/partial'), { recursive: true })
    writeFileSync(
      inside('sources.list'),
      `deb [signed-by=${KEYRING}] http://deb.debian.org/debian trixie main\n`
    )
    const settings = {
      'Dir::Etc::SourceList': inside('sources.list'),
      'Dir::Etc::SourceParts': '-',
      'Dir::State::Lists': inside('lists'),
      'Dir::Cache': folder,
      'APT::Sandbox::User': 'root',
      'Acquire::Retries': '3'
    }
    const options = Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`])
    const apt = (...args: string[]): void => {
      execFileSync('apt-get', ['-qq', ...options, ...args], { cwd: folder, stdio: 'pipe' })
    }
    apt('update')
    apt('download', 'docker-buildx')
    execFileSync('sh', ['-c', 'dpkg-deb -x docker-buildx_*.deb .'], { cwd: folder })
    const plugins = join(home, '.docker/cli-plugins')
    mkdirSync(plugins, { recursive: true })
    copyFileSync(inside(PLUGIN), join(plugins, 'docker-buildx'))
    chmodSync(join(plugins, 'docker-buildx'), 0o755)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
