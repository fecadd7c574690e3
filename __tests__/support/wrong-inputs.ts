/**
 * Wrong values of each input that can have one, and what the message says of them, word for word up to what depends on the
 * machine. The working folder holds a Dockerfile and `sub folder` with a file `Other`.
 */
export const WRONG: [given: Record<string, string>, message: string | RegExp][] = [
  [{ context: 'gone' }, /^Input context is "gone", but there is no such folder \(looked in \/.*\)\.$/],
  [{ context: 'Dockerfile' }, /^Input context is "Dockerfile", but there is no such folder/],
  [
    { context: 'sub folder' },
    /^Input context is "sub folder", but there is no file .*sub folder\/Dockerfile; add a Dockerfile there or name it with file\.$/
  ],
  [
    { file: 'Gone' },
    /^Input file is "Gone", but there is no file .*\/Gone; give the path of the Dockerfile\.$/
  ],
  [{ file: 'sub folder' }, /^Input file is "sub folder", but .*sub folder is not a file/],
  [
    { platform: 'linux/arm64' },
    'Input platform is "linux/arm64", but linux/amd64 is the only platform supported for now.'
  ],
  [{ platform: 'linux/amd64,linux/arm64' }, /^Input platform is "linux\/amd64,linux\/arm64", but/],
  [{ 'build-args': '"A=1' }, /^Input build-args is "\\"A=1", but a quoted item in it does not end as one/],
  [
    { 'build-contexts': 'base' },
    'Input build-contexts holds an item that is not of the form name=path; write name=path, one a line.'
  ],
  [
    { secrets: 'no value here' },
    'Input secrets holds an item that is not of the form id=value; write id=value, one a line.'
  ],
  [{ secrets: '../../etc/x=1' }, /^A secret's id is "\.\.\/\.\.\/etc\/x", but it has to consist of letters/],
  [{ 'secret-files': 'a=gone' }, 'Input secret-files is "a=gone", but there is no such file.'],
  [
    { 'secret-envs': 'a=GONE' },
    'Input secret-envs is "a=GONE", but there is no such environment variable; set it under env: of the step.'
  ],
  [{ 'no-cache': 'yes' }, 'Input no-cache is "yes", but it has to be true or false.'],
  [{ pull: '1' }, 'Input pull is "1", but it has to be true or false.'],
  [
    { image: '--privileged' },
    'Input image is "--privileged", but it has to be an image reference, such as debian:bookworm.'
  ],
  [{ image: 'a b' }, /^Input image is "a b", but it has to be an image reference/],
  [
    { image: 'debian', target: 'x', labels: 'a=b' },
    'Input image is "debian", but an image is not built: leave out target, labels.'
  ],
  [
    { 'install-system': 'yes' },
    'Input install-system is "yes", but it has to be one of auto, always, never.'
  ],
  [
    { kernel: 'linux-image-6.1' },
    'Input kernel is "linux-image-6.1", but it has to be one of cloud, generic.'
  ],
  [{ 'entrypoint-service': 'on' }, 'Input entrypoint-service is "on", but it has to be true or false.'],
  [
    { network: 'host', 'build-network': 'none' },
    'Input network is "host", but it has to be dhcp or none where build-network is given.'
  ],
  [
    { image: 'debian', 'build-network': 'host' },
    'Input image is "debian", but an image is not built: leave out build-network.'
  ],
  [
    { user: 'root; reboot' },
    'Input user is "root; reboot", but it has to be at most 32 lower-case letters, digits, hyphens and underscores, beginning with a letter.'
  ],
  [{ user: '../admin' }, /^Input user is/],
  [{ user: 'a:b' }, /^Input user is/],
  [
    { 'authorized-keys': 'not a key' },
    'Input authorized-keys is "not a key", but each line has to be a public key as in authorized_keys, such as "ssh-ed25519 AAAA… me@home".'
  ],
  [{ 'authorized-keys': 'ssh-ed25519 AAAA' }, /^Input authorized-keys is "ssh-ed25519 AAAA", but each line/],
  [
    { 'authorized-keys': '-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk' },
    'Input authorized-keys holds a private key; give the public one, the file that ends with .pub.'
  ],
  [
    { hostname: 'under_score' },
    'Input hostname is "under_score", but it has to be at most 64 letters, digits, hyphens and dots, as in RFC 1123.'
  ],
  [{ hostname: `${'a'.repeat(60)}.${'b'.repeat(10)}` }, /^Input hostname is/],
  [
    { 'root-password': 'two\nlines' },
    'Input root-password holds a control character or more than 255 bytes; give one line of text.'
  ],
  [{ 'root-password': 'é'.repeat(128) }, /^Input root-password holds/],
  [
    { 'kernel-args': 'a=ü' },
    'Input kernel-args is "a=ü", but it has to be at most 1024 printable ASCII characters.'
  ],
  [{ 'serial-console': 'on' }, 'Input serial-console is "on", but it has to be true or false.'],
  [{ size: 'big' }, 'Input size is "big", but it has to be a number with a unit, such as 1500M, 2G or 2GiB.'],
  [{ size: '2' }, /^Input size is "2", but it has to be a number with a unit/],
  [{ size: '1M' }, 'Input size is "1M", but it has to be from 16.0 MiB to 8 TiB.'],
  [{ size: '100T' }, /^Input size is "100T", but it has to be from 16.0 MiB to 8 TiB\.$/],
  [{ 'extra-space': '-1G' }, /^Input extra-space is "-1G", but it has to be a number with a unit/],
  [{ filesystem: 'xfs' }, 'Input filesystem is "xfs", but it has to be one of ext4, ext3, ext2.'],
  [{ name: '../x' }, /^Input name is "\.\.\/x", but it has to be at most 128 bytes/],
  [{ name: '-rf' }, /^Input name is "-rf"/],
  [{ name: 'a\nb' }, /^Input name is "a\\nb"/],
  [{ name: 'a'.repeat(129) }, /^Input name is/],
  [
    { formats: 'qcow3, raw, iso\nraw.bz2 raw.gz.gz' },
    'Input formats is "qcow3, iso, raw.bz2, raw.gz.gz", but each format has to be one of raw, qcow2, vmdk, vdi, vhd, vhdx, each also with .zst, .gz, .xz.'
  ],
  [{ formats: ' , ' }, /^Input formats is "", but each format has to be one of/],
  [{ 'output-dir': 'Dockerfile' }, 'Input output-dir is "Dockerfile", but that exists and is not a folder.'],
  [{ 'upload-artifact': 'no' }, 'Input upload-artifact is "no", but it has to be true or false.'],
  [
    { 'retention-days': '0' },
    'Input retention-days is "0", but it has to be a whole number of days from 1 to 400.'
  ],
  [{ 'retention-days': '1.5' }, /^Input retention-days is "1\.5"/],
  [{ 'boot-test': 'maybe' }, 'Input boot-test is "maybe", but it has to be true or false.'],
  [
    { 'boot-test': 'false', 'expect-port': '22', 'test-script': 'true', 'check-persistence': 'true' },
    'Input boot-test is "false", but it has to be true for expect-port, test-script, check-persistence.'
  ],
  [
    { 'boot-timeout': '5m' },
    'Input boot-timeout is "5m", but it has to be a whole number of seconds from 1 to 21600.'
  ],
  [
    { 'boot-success-pattern': '(' },
    /^Input boot-success-pattern is "\(", but it is not a regular expression/
  ],
  [
    { 'boot-success-pattern': '.*' },
    'Input boot-success-pattern is ".*", but it matches an empty line; name what the line has to hold.'
  ],
  [{ memory: '1024' }, /^Input memory is "1024", but it has to be a number with a unit/],
  [{ memory: '1M' }, 'Input memory is "1M", but it has to be from 64.0 MiB to 8 TiB.'],
  [{ cpus: '0' }, 'Input cpus is "0", but it has to be a whole number of processors from 1 to 64.'],
  [{ accelerator: 'hvf' }, 'Input accelerator is "hvf", but it has to be one of auto, kvm, tcg.'],
  [
    { 'test-scripts': 'tests/*.sh' },
    /^Input test-scripts is "tests\/\*\.sh", but it matches no file \(looked in \/.*\)\.$/
  ],
  [
    { 'test-timeout': '0' },
    'Input test-timeout is "0", but it has to be a whole number of seconds from 1 to 21600.'
  ],
  [{ 'fail-on-failed-units': '2' }, 'Input fail-on-failed-units is "2", but it has to be true or false.'],
  [{ 'check-persistence': 'yes' }, 'Input check-persistence is "yes", but it has to be true or false.'],
  [
    { 'max-boot-seconds': '1.5' },
    'Input max-boot-seconds is "1.5", but it has to be a whole number of seconds from 1 to 21600.'
  ],
  [
    { 'max-image-size': '500' },
    'Input max-image-size is "500", but it has to be a number with a unit, such as 1500M, 2G or 2GiB.'
  ],
  [{ 'max-image-size': '1K' }, 'Input max-image-size is "1K", but it has to be from 1.0 MiB to 8 TiB.'],
  [{ 'disk-bus': 'ide' }, 'Input disk-bus is "ide", but it has to be one of auto, virtio, sata, nvme, scsi.'],
  [
    { 'network-card': 'ne2000' },
    'Input network-card is "ne2000", but it has to be one of auto, virtio, e1000, e1000e, vmxnet3.'
  ],
  [
    { 'boot-matrix': 'virtio, usb' },
    'Input boot-matrix is "virtio, usb", but each machine has to be one of virtio, sata, nvme, scsi.'
  ],
  [
    { 'boot-matrix': 'virtio,sata', 'disk-bus': 'sata' },
    'Input boot-matrix is "virtio,sata", but disk-bus names the one machine to boot: leave one of the two out.'
  ],
  [
    { 'expect-port': '22\nssh' },
    'Input expect-port is "ssh", but each line has to be a TCP port from 1 to 65535, such as 22.'
  ],
  [{ 'expect-port': '65536' }, /^Input expect-port is "65536", but each line/],
  [
    { 'expect-http': '8080/healthz' },
    'Input expect-http is "8080/healthz", but each line has to be PORT/PATH=STATUS, such as 8080/healthz=200.'
  ],
  [{ 'expect-http': '0/=200' }, /^Input expect-http is "0\/=200", but each line/],
  [{ 'install-tools': '' }, 'Input install-tools is "", but it has to be true or false.']
]
