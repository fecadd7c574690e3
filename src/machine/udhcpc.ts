/** Runs BusyBox' DHCP client on the first wired interface, whatever its name is; started and restarted by BusyBox init. */
export const UDHCPC = {
  path: 'usr/lib/docker-to-disk/dhcp',
  content: `#!/bin/sh
# DHCP on the first wired interface.
PATH=/sbin:/usr/sbin:/bin:/usr/bin
wired() {
    for interface in /sys/class/net/*; do
        # A device behind it, an Ethernet address (ARPHRD_ETHER), no radio.
        [ -e "$interface/device" ] && [ "$(cat "$interface/type")" = 1 ] || continue
        [ -e "$interface/wireless" ] || [ -e "$interface/phy80211" ] || return 0
    done
    return 1
}
until wired; do
    # The driver may be a module that nothing has loaded yet.
    find /sys/devices -name modalias -exec cat {} + 2>/dev/null | sort -u | xargs modprobe -a -b -q 2>/dev/null
    wired || sleep 2
done
interface=\${interface##*/}
ip link set "$interface" up 2>/dev/null || ifconfig "$interface" up
script=/usr/share/udhcpc/default.script
[ -e "$script" ] || script=/usr/lib/docker-to-disk/lease
# Its messages would break the login prompt.
exec udhcpc -f -R -i "$interface" -s "$script" </dev/null >/dev/null 2>&1
`
} as const

/** What udhcpc calls with a lease, where the userland brings no script for it. */
export const UDHCPC_LEASE = {
  path: 'usr/lib/docker-to-disk/lease',
  content: `#!/bin/sh
# Sets what udhcpc was given; see https://udhcp.busybox.net/README.udhcpc
PATH=/sbin:/usr/sbin:/bin:/usr/bin
case "$1" in
deconfig)
    ifconfig "$interface" 0.0.0.0
    ;;
bound | renew)
    ifconfig "$interface" "$ip" \${subnet:+netmask "$subnet"} \${broadcast:+broadcast "$broadcast"}
    for gateway in $router; do
        route add default gw "$gateway" dev "$interface" 2>/dev/null
    done
    {
        [ -z "$domain" ] || echo "search $domain"
        for server in $dns; do
            echo "nameserver $server"
        done
    } >/etc/resolv.conf
    ;;
esac
`
} as const

/** Takes the name servers that systemd-networkd was given into /etc/resolv.conf, for systems without systemd-resolved. */
export const NAME_SERVERS = {
  path: 'usr/lib/docker-to-disk/name-servers',
  // The state file is what libsystemd's sd-network reads, resolved among others.
  script: `#!/bin/sh
# Copies the name servers that systemd-networkd was given to /etc/resolv.conf.
state=/run/systemd/netif/state
[ -r "$state" ] || exit 0
while IFS== read -r key value; do
    [ "$key" = DNS ] || continue
    for server in $value; do
        echo "nameserver $server"
    done
done <"$state" >/etc/resolv.conf
`,
  units: {
    'network-name-servers.path': `[Unit]
Description=Watch for name servers of systemd-networkd

[Path]
PathChanged=/run/systemd/netif/state

[Install]
WantedBy=multi-user.target
`,
    'network-name-servers.service': `[Unit]
Description=Name servers of systemd-networkd
After=systemd-networkd.service

[Service]
Type=oneshot
ExecStart=/bin/sh /usr/lib/docker-to-disk/name-servers

[Install]
WantedBy=multi-user.target
`
  }
} as const
