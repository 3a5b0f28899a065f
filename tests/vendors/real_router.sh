#!/bin/bash
# A throw-away router: real zebra, staticd and bgpd in namespaces of its own, gone when this script ends.
# usage: real_router.sh FOLDER; FOLDER holds name, ports, links.batch, frr.conf and perhaps next.conf (reloaded, then back).
set -euo pipefail
export FOLDER=$1
exec unshare --net --mount --pid --uts --fork --mount-proc --kill-child bash -euo pipefail -c '
mount -t tmpfs tmpfs /run; mkdir -p /run/netns /run/frr; chown frr:frr /run/frr
mkdir -p /var/tmp/frr; mount -t tmpfs tmpfs /var/tmp/frr; chown frr:frr /var/tmp/frr
mount -t tmpfs tmpfs /etc/frr; echo "service integrated-vtysh-config" > /etc/frr/vtysh.conf
hostname "$(cat "$FOLDER/name")"; ip link set lo up
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=0
for port in $(cat "$FOLDER/ports"); do ip link add "$port" type veth peer name "y-$port"; ip link set "$port" up; done
ip -batch "$FOLDER/links.batch"
/usr/lib/frr/zebra -d -n -A 127.0.0.1; /usr/lib/frr/staticd -d -A 127.0.0.1; /usr/lib/frr/bgpd -d -A 127.0.0.1
for try in $(seq 50); do vtysh -c "show daemons" 2>/dev/null | grep -q "zebra.*bgpd.*staticd\|zebra.*staticd.*bgpd" && break; sleep 0.1; done
# on a busy machine routes of a VRF that leaves are gone before they are taken out, which FRR refuses: then once more
reload() {
  python3 /usr/lib/frr/frr-reload.py --stdout "$@" > "$FOLDER/log" 2>&1 && return
  grep -q "Refusing to remove a non-existent route" "$FOLDER/log" &&
    python3 /usr/lib/frr/frr-reload.py --stdout "$@" > "$FOLDER/log" 2>&1 && return
  cat "$FOLDER/log" >&2; exit 1
}
shown() { vtysh -c "show running-config" > "$FOLDER/$1"; }
settle() { sed -i "/^[0-9-]* [0-9:,]* *INFO/d" "$FOLDER/log"; mv "$FOLDER/log" "$FOLDER/$1"; }
vtysh -f "$FOLDER/frr.conf" > "$FOLDER/accepted" 2>&1
shown running
reload --test "$FOLDER/frr.conf"; settle difference
if [ -e "$FOLDER/next.conf" ]; then
  reload --test "$FOLDER/next.conf"; settle difference-next
  reload --reload "$FOLDER/next.conf"; shown running-next
  reload --reload "$FOLDER/frr.conf"; shown running-back
fi
' real_router
