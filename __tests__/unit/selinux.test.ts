import type { Draft } from '../../src/machine/draft.ts'
import { planSelinux } from '../../src/machine/selinux.ts'
import { sketchDraft, type TreeSketch } from '../support/tree.ts'

function plan(tree: TreeSketch): Draft {
  const draft = sketchDraft(tree)
  planSelinux(draft)
  return draft
}

const POLICY = { 'etc/selinux/targeted/policy/policy.33': 9 }
const CONFIG = '# SELINUX= can take enforcing\nSELINUX=enforcing\nSELINUXTYPE=targeted\n'

test('a policy that would be enforced on files without labels is not, and that is said', () => {
  const draft = plan({ ...POLICY, 'etc/selinux/config': CONFIG })
  expect(draft.edits).toEqual([
    expect.objectContaining({
      path: 'etc/selinux/config',
      content: '# SELINUX= can take enforcing\nSELINUX=permissive\nSELINUXTYPE=targeted\n'
    })
  ])
  expect(draft.warnings).toEqual([expect.stringContaining('touch /.autorelabel')])
})

test.each<[string, TreeSketch]>([
  ['no SELinux', {}],
  ['permissive', { ...POLICY, 'etc/selinux/config': 'SELINUX=permissive\n' }],
  [
    'disabled, enforcing in a comment',
    { ...POLICY, 'etc/selinux/config': '#SELINUX=enforcing\nSELINUX=disabled\n' }
  ],
  ['no policy', { 'etc/selinux/config': CONFIG, 'etc/selinux/targeted': null }]
])('left alone: %s', (_, tree) => {
  expect([plan(tree).edits, plan(tree).warnings]).toEqual([[], []])
})
