import { execFileSync } from 'node:child_process'
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { bootImage } from '../support/boot.ts'
import { ALPINE, useBench } from '../support/e2e.ts'

const bench = useBench('debian:bookworm', 'alpine:3.20')

const ARGUMENTS = [
  'two words',
  '',
  `it's "quoted"`,
  '%h%%n $HOME $$ `id`',
  'back\\slash\\n',
  'new\nline',
  'ä;*',
  ';'
]

/** Writes what the kernel knows of a process. */
const FACTS = `#!/bin/sh
cd "/proc/$1" || exit
for file in cmdline environ; do
  printf '%s ' "$file"
  od -An -v -tx1 "$file" | tr -d ' \\n'
  echo
done
printf 'cwd '
readlink cwd
grep -E '^(Uid|Gid|Groups|Umask|SigIgn|SigBlk):' status
`

/**
 * Answers with the facts of itself, kills itself and ends the machine when asked to. It opens its output again, as nginx
 * does, and serves on a port that only root may take outside of a container.
 */
const PERL_SERVER = `use IO::Socket::INET;
my $low = IO::Socket::INET->new(LocalPort => 80, Listen => 5, ReuseAddr => 1) or die "port 80: $!";
$SIG{QUIT} = sub { syswrite STDOUT, "ended by SIGQUIT\\n"; exit 0 };
open(my $out, '>', '/dev/stdout') or die "no /dev/stdout: $!";
print $out "serving as $$\\n";
close $out;
my $socket = IO::Socket::INET->new(LocalPort => 8080, Listen => 5, ReuseAddr => 1) or die $!;
while (my $client = $socket->accept) {
  my $request = <$client>;
  while (<$client>) { last if /^\\r?$/ }
  my $facts = \`/srv/facts $$\`;
  print $client "HTTP/1.0 200 OK\\r\\n\\r\\npid $$\\n$facts";
  close $client;
  kill 'KILL', $$ if $request =~ /kill/;
  open my $off, '>', '/tmp/off' if $request =~ /poweroff/;
}
`

/** The same for BusyBox. The facts are taken before nc, which the shell gives variables of its own. */
const SHELL_SERVER = `#!/bin/sh
/srv/facts $$ >/tmp/facts.$$
echo "serving as $$" >/dev/stdout || exit 3
exec nc -lk -p 8080 -e /srv/answer
`
const SHELL_ANSWER = `#!/bin/sh
read -r request
while read -r header && [ "\${#header}" -gt 1 ]; do :; done
printf 'HTTP/1.0 200 OK\\r\\n\\r\\npid %s\\n' "$PPID"
cat "/tmp/facts.$PPID"
case $request in *kill*) kill -9 "$PPID" ;; esac
`

const APPLICATION = `COPY facts answer serve /srv/
ARG LINES
ENV LINES=$LINES ODD="it's \\"odd\\" %h %% \\$HOME \\\\ \\\\n \`id\`; *" dotted.name-x=1 EMPTY= LANG=C.UTF-8
USER web
WORKDIR "/srv/a place"
VOLUME ["/var/lib/web/own", "/var/lib/web/new"]
EXPOSE 8080 80
STOPSIGNAL SIGQUIT
`

/** Builds the image that the action is given too, so that Docker's own process can be compared. */
function buildImage(tag: string, dockerfile: string, serve: string): string {
  const context = bench.context(dockerfile)
  cpSync(join(ALPINE, 'inittab'), join(context, 'inittab'))
  for (const [name, text] of Object.entries({ facts: FACTS, answer: SHELL_ANSWER, serve }))
    writeFileSync(join(context, name), text, { mode: 0o755 })
  execFileSync('docker', ['build', '--quiet', '--tag', tag, '--build-arg', 'LINES=one\n two', context], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  return tag
}

type Facts = Readonly<Record<string, string>>

/** Asks the server until it answers. */
async function ask(port: number, path: string, seconds = 120): Promise<Facts> {
  for (const end = Date.now() + seconds * 1000; ; await delay(500)) {
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/${path}`, { signal: AbortSignal.timeout(10_000) })
      const lines = (await answer.text()).split('\n').filter(line => line !== '')
      return Object.fromEntries(lines.map(line => line.split(/:?\s(.*)/s, 2)))
    } catch (error) {
      if (Date.now() > end) throw new Error(`No answer from port ${port}: ${error}`)
    }
  }
}

const words = (hex = ''): string[] => Buffer.from(hex, 'hex').toString().split('\0').slice(0, -1)

/** What has to be the same in a container and in the machine. */
const comparable = ({ pid: _, cmdline, environ, ...others }: Facts) => ({
  ...others,
  argv: words(cmdline),
  env: words(environ)
    .map(variable => variable.replace(/^HOSTNAME=.*/, 'HOSTNAME='))
    .sort()
})

async function inDocker(image: string): Promise<Facts> {
  const docker = (...args: string[]): string => execFileSync('docker', args, { encoding: 'utf8' }).trim()
  const id = docker('run', '--detach', '--rm', '--publish', '127.0.0.1::8080', image)
  try {
    const [, port = ''] = /:(\d+)$/m.exec(docker('port', id, '8080/tcp')) ?? []
    return await ask(Number(port), '', 30)
  } finally {
    docker('rm', '--force', '--volumes', id)
  }
}

const fixture = readFileSync(join(ALPINE, 'Dockerfile'), 'utf8')
// An application image that never heard of disks: the action adds all that makes a machine of it.
const debian = `FROM debian:bookworm
RUN mkdir -p /etc/systemd/system/multi-user.target.wants && cd /etc/systemd/system \\
    && printf '[Path]\\nPathExists=/tmp/off\\nUnit=poweroff.target\\n' >off.path && ln -s ../off.path multi-user.target.wants/
RUN useradd --uid 1005 --create-home --groups audio,video web \\
    && mkdir -p /run/web/deep /var/lib/web/own && chown web:audio /run/web /var/lib/web/own
${APPLICATION}ENTRYPOINT ${JSON.stringify(['perl', '/srv/serve', ...ARGUMENTS.slice(0, 4)])}
CMD ${JSON.stringify(ARGUMENTS.slice(4))}
`
const alpine = `${fixture}
RUN adduser -D -u 1005 web && addgroup web audio \\
    && mkdir -p /var/lib/web/own /run/web && chown web:audio /var/lib/web/own /run/web
${APPLICATION}ENTRYPOINT ${JSON.stringify(['../serve', ...ARGUMENTS.slice(0, 4)])}
CMD ${JSON.stringify(ARGUMENTS.slice(4))}
`

test.each([
  ['Debian with systemd', 'debian', debian, PERL_SERVER],
  ["Alpine's userland under BusyBox init", 'alpine', alpine, SHELL_SERVER]
])('%s: the process is as in Docker, serves, and is restarted', async (_, name, dockerfile, serve) => {
  const image = buildImage(`docker-to-disk-test-entrypoint-${name}`, dockerfile, serve)
  const expected = comparable(await inDocker(image))
  expect(expected.argv.slice(-ARGUMENTS.length)).toEqual(ARGUMENTS)
  expect(expected.env).toContain('LINES=one\n two')

  const run = await bench.succeed({
    inputs: {
      image,
      name,
      'entrypoint-service': 'true',
      'expect-http': '8080/=200',
      'upload-artifact': 'false'
    }
  })
  expect(run.summary).toContain('| Exposed ports | 80/tcp, 8080/tcp |')
  expect(JSON.parse(readFileSync(run.outputs.report ?? '', 'utf8')).service).toMatchObject({
    exposedPorts: ['80/tcp', '8080/tcp'],
    volumes: expect.arrayContaining(['/var/lib/web/own', '/var/lib/web/new'])
  })

  await bootImage(run.outputs.image ?? '', 'qcow2', 'virtio', /serving as \d+\r?\n/, 240, {
    forward: 8080,
    whileUp: async (port, console) => {
      const first = await ask(port, '')
      expect(comparable(first)).toEqual(expected)
      expect(words(first.environ)).toContain(`HOSTNAME=${name}`)
      expect((await ask(port, 'kill')).pid).toBe(first.pid)
      const second = await ask(port, '')
      expect(second.pid).not.toBe(first.pid)
      expect(comparable(second)).toEqual(expected)
      expect(console()).toContain(`serving as ${second.pid}`)
      if (serve !== PERL_SERVER) return
      await ask(port, 'poweroff')
      for (const end = Date.now() + 60_000; Date.now() < end; await delay(500))
        if (console().includes('ended by SIGQUIT')) return
      throw new Error('The stop signal did not arrive')
    }
  })
})
