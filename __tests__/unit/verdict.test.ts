import { CAUSES } from '../../src/boot-check/causes.ts'
import { NO_FACTS, readFacts } from '../../src/boot-check/facts.ts'
import { PhaseClock } from '../../src/boot-check/phases.ts'
import { Judge, type JudgeOptions } from '../../src/boot-check/verdict.ts'

const OPTIONS: JudgeOptions = {
  sign: { pattern: null, hostname: 'debian' },
  timeout: { seconds: 100, within: 'boot-timeout (100 seconds)' }
}

/** Feeds one line after the other, a tenth of a second each, and lets time pass until there is a verdict. */
function judge(lines: readonly string[], options: Partial<JudgeOptions> = {}, isLastFinished = true): Judge {
  const judge = new Judge({ ...OPTIONS, ...options })
  for (const [i, line] of lines.entries())
    judge.hear(Buffer.from(i < lines.length - 1 || isLastFinished ? `${line}\r\n` : line), i / 10)
  return judge
}

/** What the judge says once time has passed. */
function wait(judge: Judge): NonNullable<Judge['verdict']> {
  while (judge.verdict === null && judge.due !== null) judge.tick(judge.due)
  if (judge.verdict === null) throw new Error('There is no verdict.')
  return judge.verdict
}

const reasonOf = (judge: Judge): { id: string; summary: string; advice: string } => {
  const verdict = wait(judge)
  if (verdict.outcome === 'success') throw new Error(`Success: ${verdict.line}`)
  return verdict.reason
}

test.each(['debian login: ', 'debian login:', 'debian login: [    9.123456] random: crng init done'])(
  '%j is success at once, without a newline too',
  line => {
    for (const isFinished of [true, false])
      expect(judge(['x', line], {}, isFinished).verdict).toEqual({
        at: 0.1,
        outcome: 'success',
        // Without what the kernel put behind it.
        line: line.replace(/\[.*/, '')
      })
  }
)

describe.each([
  'my-host.example login:',
  '(none) login: ',
  'localhost login: [    9.123456] random: crng init done',
  'localhost login: [  OK  ] Started a.service - A.',
  'login: '
])('%j', line => {
  const success = { at: 0.1, outcome: 'success', line: line.replace(/\[ +\d.*/, '') }

  test('is success at once when it is finished', () => {
    expect(judge(['x', line]).verdict).toEqual(success)
  })

  test('is success when it stands', () => {
    const standing = judge(['x', line], {}, false)
    standing.tick(0.39)
    expect(standing.verdict).toBeNull()
    standing.tick(0.4)
    expect(standing.verdict).toEqual(success)
  })
})

test('half a line that looks like a prompt of another machine is none if it goes on as something else', () => {
  const half = judge(['INFO login:'], {}, false)
  half.hear(Buffer.from(' rejected\r\n'), 0.2)
  half.tick(50)
  expect(half.verdict).toBeNull()
})

test('a machine that goes down while half a line stands has not come up', () => {
  const falling = judge(['INFO login:'], {}, false)
  falling.notice({ kind: 'shutdown' }, 0.2)
  expect(reasonOf(falling).id).toBe('shutdown')
})

test.each([
  'Last login: Mon Nov  2 10:00:00 UTC 2026 on ttyS0',
  'systemd-logind: New session',
  'Starting User Login Management...',
  'pam: failed login: root',
  'INFO login: rejected',
  'app login: user=root',
  '[    1.000000] Kernel command line: root=UUID=x panic=5',
  '[    0.900000] Run /sbin/init as init process',
  '[    1.200000] Freeing initrd memory: 20000K',
  '[    1.200000] Initramfs unpacking failed: invalid magic at start of compressed archive',
  'Begin: Running /scripts/local-bottom ... done.',
  '[    2.000000] EXT4-fs (vda1): mounted filesystem with ordered data mode.',
  'Loading /boot/vmlinuz-virt... ok',
  '         Starting Emergency Shell service check...',
  '[FAILED] Failed to start a.service - Something.',
  "Target filesystem doesn't have requested /nonexistent.",
  ''
])('%j decides nothing', line => {
  const undecided = judge([line])
  undecided.tick(50)
  expect(undecided.verdict).toBeNull()
})

test.each([
  ['No bootable device.', 'no-boot-device'],
  ['Boot failed: not a bootable disk', 'no-boot-device'],
  ['Failed to load ldlinux.c32', 'loader-broken'],
  ['Loading /boot/vmlinuz... failed: No such file or directory', 'kernel-not-loaded'],
  ['[    1.1] VFS: Unable to mount root fs on unknown-block(0,0)', 'no-root'],
  ['[    1.1] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)', 'no-root'],
  ['ALERT!  UUID=1234 does not exist.  Dropping to a shell!', 'no-root'],
  ['(initramfs) ', 'initramfs-shell'],
  ['[    3.2] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100', 'init-died'],
  [
    '[    3.2] Kernel panic - not syncing: No working init found.  Try passing init= option to kernel.',
    'no-init'
  ],
  ['[    3.2] Kernel panic - not syncing: Fatal exception in interrupt', 'panic'],
  ['[    0.5] Kernel panic - not syncing: System is deadlocked on memory', 'out-of-memory'],
  ['You are in emergency mode. After logging in, type "journalctl -xb"', 'emergency-mode'],
  ['Cannot open access to console, the root account is locked.', 'emergency-mode'],
  ['[    9.1] reboot: System halted', 'halted']
])('%j is %s', (line, id) => {
  const decided = judge([line])
  expect(wait(decided).at).toBe(0)
  expect(reasonOf(decided).id).toBe(id)
})

test('what a program writes behind the prompt leaves it a prompt', () => {
  expect(judge(['debian login: app: ready']).verdict).toMatchObject({ outcome: 'success' })
  const dotted = { sign: { pattern: null, hostname: 'debian.example' } }
  expect(judge(['debian login: app: ready'], dotted).verdict).toMatchObject({ outcome: 'success' })
})

test('a line of megabytes hides nothing, and costs no time', () => {
  const flooded = judge(['[    0.100000] Linux version 6'])
  const noise = Buffer.from('a program that never ends its line; '.repeat(2000))
  const begin = performance.now()
  for (let i = 0; i < 100; i++) flooded.hear(noise, 1)
  flooded.hear(Buffer.from('[    9.000000] Kernel panic - not syncing: Fatal exception\r\n'), 2)
  expect(performance.now() - begin).toBeLessThan(2000)
  expect(reasonOf(flooded).summary).toContain('The kernel panicked: Fatal exception.')
})

test('every cause says what happened and what to change', () => {
  for (const { summary, advice, patterns, prompts = [] } of CAUSES) {
    expect(typeof summary === 'string' ? summary : summary(NO_FACTS)).toMatch(/^[A-Z].*\.$/)
    expect((typeof advice === 'string' ? advice : advice(NO_FACTS)).length).toBeGreaterThan(20)
    expect(patterns.length + prompts.length).toBeGreaterThan(0)
  }
})

describe('what a reason tells of the machine', () => {
  test('the file that the loader could not load, which stands there twice', () => {
    const { id, summary } = reasonOf(
      judge(['Loading /boot/vmlinuz...Loading /boot/vmlinuz...  failed:failed:  No such file or directory'])
    )
    expect([id, summary]).toEqual(['kernel-not-loaded', 'The boot loader could not load /boot/vmlinuz.'])
  })

  test('the root that was asked for, and the disks that there are', () => {
    const { summary, advice } = reasonOf(
      judge([
        '[    0.000000] Kernel command line: BOOT_IMAGE=/boot/vmlinuz root=/dev/sdz9 ro',
        '[    1.000000] virtio_blk virtio1: [vda] 847872 512-byte logical blocks (434 MB/414 MiB)',
        '[    1.100000]  vda: vda1',
        'ALERT!  /dev/sdz9 does not exist.  Dropping to a shell!'
      ])
    )
    expect(summary).toBe(
      'The kernel or its initrd could not mount the root filesystem. It was asked for /dev/sdz9; the kernel found vda, vda1.'
    )
    expect(advice).toContain('kernel-args')
  })

  test('no disk at all', () => {
    const alert = 'ALERT!  UUID=1-2 does not exist.  Dropping to a shell!'
    const told = reasonOf(judge(['[    0.000000] Command line: root=UUID=1-2', alert]))
    expect(told.summary).toMatch(/ It was asked for UUID=1-2; the kernel found no disk\.$/)
    expect(told.advice).toMatch(/^The kernel or the initrd lacks a driver .* disk-bus/)
    // A quiet kernel does not say what it found.
    const quiet = reasonOf(judge([alert]))
    expect(quiet.summary).toMatch(/ It was asked for UUID=1-2\.$/)
    expect(quiet.advice).toMatch(/^Take quiet out of kernel-args .* disk-bus.* root= /)
  })

  test('how init ended, and what it lacked', () => {
    const { summary } = reasonOf(
      judge([
        '/sbin/init: error while loading shared libraries: libx.so.1: cannot open shared object file: No such file or directory',
        '[    3.2] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00007f00'
      ])
    )
    expect(summary).toBe(
      'The init program ended with exit code 127, and the kernel cannot go on without it. It lacks libx.so.1.'
    )
    const killed = judge([
      '[    3.2] Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b'
    ])
    expect(reasonOf(killed).summary).toContain('ended by SIGSEGV,')
  })

  test('the units that failed', () => {
    const { summary } = reasonOf(
      judge([
        '[\u001b[0;1;31m TIME \u001b[0m] Timed out waiting for device \u001b[0;1;39mdev-vdz1.device\u001b[0m - /dev/vdz1.',
        '[\u001b[0;1;38;5;185mDEPEND\u001b[0m] Dependency failed for \u001b[0;1;39mdata.mount\u001b[0m - /data.',
        'You are in emergency mode. After logging in, type "journalctl -xb"'
      ])
    )
    expect(summary).toContain('because of dev-vdz1.device (timed out), data.mount (needs another).')
  })

  test('a unit that is named in the line after', () => {
    const { failedUnits } = judge([
      '[FAILED] Failed to start A service with a name.',
      "See 'systemctl status a.service' for details.",
      '[DEPEND] Dependency failed for b.service.'
    ])
    expect(failedUnits).toEqual(['a.service', 'b.service'])
  })

  test('what the kernel ran into before it panicked', () => {
    const { summary } = reasonOf(
      judge([
        '[    2.0] BUG: kernel NULL pointer dereference, address: 0000000000000000',
        '[    2.1] Kernel panic - not syncing: Fatal exception'
      ])
    )
    expect(summary).toBe(
      'The kernel panicked: Fatal exception. Before that: BUG: kernel NULL pointer dereference, address: 0000000000000000.'
    )
  })

  test('memory that the initrd does not fit into', () => {
    const { id } = reasonOf(
      judge([
        '[    1.0] Initramfs unpacking failed: write error',
        '[    1.1] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)'
      ])
    )
    expect(id).toBe('out-of-memory')
  })
})

describe('a pattern of the user', () => {
  const sign = { pattern: /READY on \d+/, hostname: null }

  test('is told by the whole line, where there is more of it', () => {
    const half = judge(['APP READY on 80'], { sign }, false)
    half.hear(Buffer.from('80\r\n'), 0.2)
    expect(half.verdict).toEqual({ at: 0.2, outcome: 'success', line: 'APP READY on 8080' })
  })

  test('does not hold for half a line that it does not fit whole', () => {
    const half = judge(['ready: 5'], { sign: { pattern: /ready: 5$/, hostname: null } }, false)
    half.hear(Buffer.from('0 failed\r\n'), 0.2)
    half.tick(50)
    expect(half.verdict).toBeNull()
  })

  test('is seen in a line that grows and grows', () => {
    const growing = judge(['APP READY on 80, '], { sign }, false)
    for (let at = 0.2; at < 0.85; at += 0.1) growing.hear(Buffer.from('.'), at)
    expect(growing.verdict).toBeNull()
    growing.hear(Buffer.from('.'), 0.95)
    expect(growing.verdict).toMatchObject({ at: 0, outcome: 'success' })
  })

  test('replaces the login prompt, not the failures', () => {
    expect(judge(['APP READY on 8080'], { sign }).verdict?.outcome).toBe('success')
    expect(judge(['debian login: '], { sign }).verdict).toBeNull()
    expect(reasonOf(judge(['(initramfs)'], { sign })).id).toBe('initramfs-shell')
  })

  test('is waited for until the timeout, whatever init says', () => {
    const { summary } = reasonOf(
      judge(['[    0.1] x', '[  OK  ] Reached target Multi-User System.'], { sign })
    )
    expect(summary).toBe(
      'No line that matches /READY on \\d+/ appeared on the serial console within boot-timeout (100 seconds), although the system is up.'
    )
  })
})

describe('when time is over', () => {
  test.each([
    [[], 'silent-console', 'Nothing appeared on the serial console within boot-timeout (100 seconds).'],
    [
      ['SeaBIOS', 'Booting from Hard Disk...', 'Loading /boot/vmlinuz... ok'],
      'silent-console',
      'Nothing of the kernel appeared on the serial console within boot-timeout (100 seconds).'
    ],
    [
      ['[    0.000001] Linux version 6'],
      'timeout',
      'No login prompt appeared on the serial console within boot-timeout (100 seconds); the kernel was still starting.'
    ],
    [
      ['[    0.000001] Linux version 6', 'Loading, please wait...'],
      'timeout',
      'No login prompt appeared on the serial console within boot-timeout (100 seconds); the initrd was still running.'
    ],
    [
      ['[    0.000001] Linux version 6', '[    1.000000] Run /sbin/init as init process'],
      'timeout',
      'No login prompt appeared on the serial console within boot-timeout (100 seconds); init was running. The last line is "[    1.000000] Run /sbin/init as init process".'
    ],
    [
      ['Welcome to Debian!', '[ *** ] A start job is running for x.service - X (9s / no limit)'],
      'timeout',
      'No login prompt appeared on the serial console within boot-timeout (100 seconds): systemd says "A start job is running for x.service - X".'
    ]
  ])('after %j', (lines, id, summary) => {
    const verdict = wait(judge(lines))
    expect(verdict).toMatchObject({ at: 100, outcome: 'failure', reason: { id, summary } })
  })

  test('a system that says it is up gets no more time for its prompt than half a minute of silence', () => {
    const up = judge(['Welcome to Debian!', '[  OK  ] Reached target multi-user.target - Multi-User System.'])
    expect(up.due).toBeCloseTo(30.1)
    up.hear(Buffer.from('noise\n'), 20)
    expect(up.due).toBe(50)
    expect(wait(up)).toMatchObject({ at: 50, reason: { id: 'getty-missing' } })
  })

  test('what comes later than the time allowed does not count', () => {
    const late = judge(['x'])
    late.hear(Buffer.from('debian login: '), 100.1)
    expect(late.verdict).toMatchObject({ at: 100, outcome: 'failure' })
  })
})

describe('what happens to the machine', () => {
  test.each([
    ['shutdown', 'shutdown', 'The machine powered itself off before it was up.'],
    ['panicked', 'panic', 'The kernel panicked, and its console does not say why.']
  ] as const)('%s, unless the console tells better at once', (kind, id, summary) => {
    const untold = judge(['x'])
    untold.notice({ kind }, 5)
    expect(untold.verdict).toBeNull()
    expect(wait(untold)).toMatchObject({ at: 5, reason: { id, summary } })
    const told = judge(['x'])
    told.notice({ kind }, 5)
    told.hear(Buffer.from('Kernel panic - not syncing: Attempted to kill init!\n'), 5.1)
    expect(reasonOf(told).id).toBe('init-died')
  })

  test('it may reset itself once', () => {
    const once = judge(['Command line: root=/dev/a'])
    // One reset may be told several times.
    for (const at of [4.9, 4.95, 5]) once.notice({ kind: 'reset' }, at)
    once.hear(Buffer.from('debian login: '), 9)
    expect(once.verdict).toMatchObject({ at: 9, outcome: 'success' })
    expect(once.phases).toEqual([{ name: 'firmware', start: 4.9, seconds: 4.1 }])
    const twice = judge(['x'])
    twice.notice({ kind: 'reset' }, 5)
    twice.notice({ kind: 'reset' }, 9)
    expect(wait(twice)).toMatchObject({ at: 9, reason: { id: 'reboot-loop' } })
  })

  test('one that is up must not', () => {
    const up = new Judge({ sign: { pattern: /(?!)/, hostname: null }, timeout: null, isUp: true })
    expect(up.due).toBeNull()
    up.notice({ kind: 'reset' }, 5)
    expect(reasonOf(up).summary).toBe('The machine reset itself although it was up.')
  })

  test('what ends QEMU is told in its words', () => {
    const ended = judge([])
    ended.notice({ kind: 'ended', reason: { id: 'qemu-ended', summary: 'QEMU ended.', advice: 'x' } }, 1)
    expect(reasonOf(ended).summary).toBe('QEMU ended.')
  })

  test('nothing of it changes a verdict', () => {
    const decided = judge(['debian login: '])
    decided.notice({ kind: 'shutdown' }, 5)
    decided.hear(Buffer.from('Kernel panic - not syncing: x\n'), 6)
    expect(decided.verdict?.outcome).toBe('success')
  })
})

describe('the quotation', () => {
  const many = Array.from({ length: 30 }, (_, i) => `line ${i}`)
  const feed = (text: string, size: number): Judge => {
    const fed = new Judge(OPTIONS)
    const bytes = Buffer.from(text)
    for (let at = 0; at < bytes.length; at += size) fed.hear(bytes.subarray(at, at + size), 0)
    return fed
  }

  test.each([1, 10, 10_000])('tells what led to a failure and what followed, in chunks of %i bytes', size => {
    const panic = '[ 1.0] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100'
    const { quotation } = feed(`${many.join('\n')}\n${panic}\n${many.join('\n')}\n`, size)
    expect(quotation.slice(0, 15)).toEqual(many.slice(-15))
    expect(quotation.slice(15)).toEqual([panic, ...many.slice(0, 4)])
  })

  test('has the last lines if none decided, the unfinished one too', () => {
    const undecided = feed(`${many.join('\n')}\nstill star`, 7)
    expect(undecided.quotation).toEqual([...many.slice(-16), 'still star'])
    wait(undecided)
    expect(undecided.quotation).toEqual([...many.slice(-16), 'still star'])
  })

  test('has a prompt once', () => {
    expect(feed('x\n(initramfs) ', 1).quotation).toEqual(['x', '(initramfs)'])
  })

  test('silence is silence', () => {
    expect(feed('\u001b[2J\r\n\r\n', 1).spoke).toBe(false)
    expect(feed('x', 1).spoke).toBe(true)
  })
})

test('phases follow one another, and what was not seen is missing', () => {
  const clock = new PhaseClock()
  const lines: [number, string][] = [
    [0.5, 'SeaBIOS (version 1.16)'],
    [1, 'Booting from Hard Disk...'],
    [1.2, 'EXTLINUX 6.04'],
    // The kernel's first words come late, with their true times.
    [4, '[    0.000000] Linux version 6.1'],
    [4.1, '[    1.600000] virtio_blk'],
    [5, '[    2.500000] Run /init as init process'],
    [5.5, 'Loading, please wait...'],
    [6, 'Begin: Running /scripts/init-bottom ... done.'],
    [6.5, 'Welcome to Debian!'],
    [8, 'Debian GNU/Linux 12 host ttyS0']
  ]
  for (const [at, line] of lines) clock.hear(line, at)
  expect(clock.phases(9)).toEqual([
    { name: 'firmware', start: 0, seconds: 1 },
    { name: 'loader', start: 1, seconds: 1.5 },
    { name: 'kernel', start: 2.5, seconds: 2.5 },
    { name: 'initrd', start: 5, seconds: 1 },
    { name: 'init', start: 6, seconds: 2 },
    { name: 'login', start: 8, seconds: 1 }
  ])
})

test('disks are known by what the kernel says of them', () => {
  const lines = [
    '[    1.0] sd 0:0:0:0: [sda] 2097152 512-byte logical blocks: (1.07 GB/1.00 GiB)',
    '[    1.0]  sda: sda1 sda2',
    '[    1.0]  nvme0n1: p1',
    '[    1.0] fe00          847872 vda ',
    '[    1.0] sda: unrelated words here: a b'
  ]
  expect(lines.reduce(readFacts, NO_FACTS).disks).toEqual([
    'sda',
    'sda1',
    'sda2',
    'nvme0n1',
    'nvme0n1p1',
    'vda'
  ])
})
