// Bundles src/index.ts into dist/, or into the folder given: `node script/build.mjs [folder]`.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const outdir = resolve(process.argv[2] ?? join(root, 'dist'))

// A file of an earlier build must not stay behind, and a folder given by mistake must not go.
if (existsSync(outdir) && readdirSync(outdir).length > 0 && !existsSync(join(outdir, 'index.mjs')))
  throw new Error(`${outdir} holds something else than a bundle.`)
rmSync(outdir, { recursive: true, force: true })

// Not minified: the action asks for root on other people's runners, so its bundle should be readable, and a stack trace in
// a bug report should point at a line. The big parts, the artifact and cache clients, are chunks loaded only when needed.
const { metafile } = await build({
  // Chunk names hash the paths of what they hold, which are relative to this folder.
  absWorkingDir: root,
  entryPoints: ['src/index.ts'],
  outdir,
  outExtension: { '.js': '.mjs' },
  chunkNames: '[name]-[hash]',
  bundle: true,
  splitting: true,
  metafile: true,
  platform: 'node',
  // Or the bundle's comments, and with them its file names, tell where a linked node_modules lies.
  preserveSymlinks: true,
  format: 'esm',
  target: 'node24',
  legalComments: 'none',
  logLevel: 'warning',
  // Some of the packages are CommonJS and require Node's own modules.
  banner: {
    js: "import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);"
  }
})
writeFileSync(join(outdir, 'licenses.txt'), licences(metafile))

/** The licences of the packages of which anything is in the bundle. */
function licences({ outputs }) {
  const folders = Object.values(outputs)
    .flatMap(({ inputs }) => Object.entries(inputs))
    .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    .map(([path]) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0])
    .filter(folder => folder)
  const texts = [...new Set(folders)].map(folder => licence(join(root, folder)))
  return `${[...new Set(texts)].sort().join(`\n\n${'-'.repeat(80)}\n\n`)}\n`
}

function licence(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  const read = pattern => {
    const file = readdirSync(folder)
      .sort()
      .find(name => pattern.test(name))
    return file ? readFileSync(join(folder, file), 'utf8').replaceAll('\r', '') : ''
  }
  // Small old packages have it at the end of their README.
  const text = read(/^(licen[cs]e|copying)/i) || /^#+ *licen[cs]e\b.*/ims.exec(read(/^readme/i))?.[0]
  return `${name} ${version} (${license ?? 'licence not declared'})\n\n${text?.trim() || 'The package holds no licence text.'}`
}
