# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Sourced by scripts/test-systemd: a box in which a real systemd is process 1, on machines where it isn't.
#
#   box_create PACKAGE…     makes the tree that the box starts from, once for each list of packages
#   box_start               boots a fresh box over it
#   box_run COMMAND…        runs a command in it as root
#   box_stop                ends it; also safe when there is none
#
# Needs root, mmdebstrap, and a kernel that lets the caller make namespaces and mount. The tree stays unchanged below an
# overlay in memory, and everything is mounted in a namespace of its own: when the box ends, also by a crash, nothing of it
# is left but the tree. systemd-nspawn is that of the tree, so nothing is asked of the systemd of this machine.

BOX_SUITE=bookworm
BOX_CACHE=${ROWTAIL_BOX_CACHE:-/var/tmp/rowtail-box}

# Enough for systemd to boot and be talked to. systemd-container is for systemd-nspawn.
BOX_PACKAGES=(systemd systemd-sysv systemd-container dbus libnss-systemd procps)

box_tree='' box_supervisor='' box_leader='' box_console=''

# The mirror that this machine's apt uses, so that what reaches that one is enough.
box_mirror() {
    { cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null || true; } |
        sed -nE 's#^(URIs:|deb( \[[^]]*\])?) *(https?://[^ ]+/debian)/?( .*)?$#\3#p' | head -n 1
}

box_create() {
    local mirror packages key new unit
    mirror=$(box_mirror)
    packages=$(printf '%s,' "${BOX_PACKAGES[@]}" "$@")
    key=$(sha256sum <<<"3 $BOX_SUITE $mirror $packages $(dpkg --print-architecture)")
    box_tree=$BOX_CACHE/${key:0:16}
    [[ ! -d $box_tree ]] || return 0
    ((EUID == 0)) || fail "needs root to boot a systemd; run it as root"
    mkdir -p "$BOX_CACHE"
    new=$(mktemp -d "$BOX_CACHE/new.XXXXXX")
    chmod 755 "$new"
    echo "Making a box of Debian $BOX_SUITE in $BOX_CACHE" >&2
    # Documentation is left out, but for what the packages under test put there.
    if ! unshare --mount --propagation private mmdebstrap --quiet --mode=root --variant=apt --format=directory \
        --include="${packages%,}" \
        --dpkgopt=force-unsafe-io \
        --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-include=/usr/share/man/*/rowtail*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' \
        --aptopt='Acquire::Retries "3"' \
        "$BOX_SUITE" "$new" ${mirror:+"$mirror"} >"$new.log" 2>&1; then
        tail -20 "$new.log" >&2
        rm -rf --one-file-system "$new" "$new.log"
        fail "mmdebstrap could not make a box of Debian $BOX_SUITE; its last words are above"
    fi
    # With a machine id no boot is a first boot, which would enable every unit.
    tr -d - </proc/sys/kernel/random/uuid >"$new/etc/machine-id"
    echo box >"$new/etc/hostname"
    printf '127.0.0.1 localhost\n::1 localhost\n' >"$new/etc/hosts"
    for unit in console-getty.service systemd-timesyncd.service apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
        fstrim.timer e2scrub_all.timer machines.target; do
        ln -sf /dev/null "$new/etc/systemd/system/$unit"
    done
    mkdir -p "$new/var/log/journal"
    mv "$new" "$box_tree"
    rm -f "$new.log"
}

# In a mount namespace of its own: becomes systemd-nspawn. $1 is the tree, $2 a name that no other box has.
box_supervise() {
    local tree=$1 name=$2 libraries
    # Leftovers of systemd-nspawn go here instead of the machine's folder.
    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir /run/box /run/box/{upper,work,root}
    mount -t overlay overlay -o "lowerdir=$tree,upperdir=/run/box/upper,workdir=/run/box/work" /run/box/root
    # The machine's may be of the first version, or not there.
    mount -t cgroup2 none /sys/fs/cgroup
    mkdir "/sys/fs/cgroup/$name"
    echo $$ >"/sys/fs/cgroup/$name/cgroup.procs"
    libraries=$(dirname "$tree"/usr/lib/*-linux-gnu*/systemd/libsystemd-shared-*.so)
    # Without the capability and the system calls, IPAddressDeny=, DevicePolicy= and KeyringMode= would do nothing.
    exec "$tree"/lib*/ld-linux-*.so.* --library-path "$libraries:${libraries%/systemd}" \
        "$tree/usr/bin/systemd-nspawn" --boot --quiet --register=no --keep-unit --machine="$name" --directory=/run/box/root \
        --private-network --link-journal=no --resolv-conf=off --timezone=off --console=read-only \
        --kill-signal=SIGRTMIN+4 --capability=CAP_BPF,CAP_IPC_LOCK --system-call-filter='bpf @keyring @memlock'
}

# Sets box_leader to the process that is 1 in the box, once there is one.
box_find_leader() {
    local pid
    for pid in $(ps -o pid= --ppid "$box_supervisor"); do
        if grep -q $'^NSpid:.*\t1$' "/proc/$pid/status" 2>/dev/null && [[ $(cat "/proc/$pid/comm") == systemd ]]; then
            box_leader=$pid
            return 0
        fi
    done
    return 1
}

box_start() {
    local state='' deadline
    box_name=rowtail-box-$$
    box_console=$(mktemp)
    export -f box_supervise
    # Every step from here to systemd-nspawn is an exec, so that the process stays the same.
    setsid unshare --mount --propagation private bash -euc 'box_supervise "$@"' - "$box_tree" "$box_name" \
        </dev/null >"$box_console" 2>&1 &
    box_supervisor=$!
    deadline=$((SECONDS + 60))
    while ((SECONDS < deadline)) && kill -0 "$box_supervisor" 2>/dev/null; do
        if [[ -n $box_leader ]] || box_find_leader; then
            state=$(box_run timeout 20 systemctl is-system-running --wait 2>/dev/null) || true
            [[ $state != running && $state != degraded ]] || return 0
        fi
        sleep 0.1
    done
    cat "$box_console" >&2
    box_stop
    fail "systemd does not boot in a box on this machine (state '$state'), its console is above; it needs root, CAP_SYS_ADMIN, and \
leave to mount file systems and cgroups, as a privileged container has"
}

# Its environment is clean, and it ends with the caller.
box_run() {
    (
        # systemd leaves cgroups of processes alone that are in one of their own.
        group=/proc/$box_leader/root/sys/fs/cgroup/visitors
        { mkdir -p "$group" && echo "$BASHPID" >"$group/cgroup.procs"; } 2>/dev/null || true
        exec nsenter --target "$box_leader" --mount --uts --ipc --net --pid --cgroup --root --wd -- \
            /usr/bin/setpriv --pdeathsig KILL /usr/bin/env -i HOME=/root LANG=C.UTF-8 SYSTEMD_PAGER=cat \
            PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@"
    )
}

box_stop() {
    local tries
    if [[ -n $box_leader ]]; then kill -s RTMIN+4 "$box_leader" 2>/dev/null || true; fi
    if [[ -n $box_supervisor ]]; then
        for ((tries = 0; tries < 150; tries++)); do
            kill -0 "$box_supervisor" 2>/dev/null || break
            sleep 0.1
        done
        kill -KILL "$box_supervisor" 2>/dev/null || true
        wait "$box_supervisor" 2>/dev/null || true
        box_clear
    fi
    [[ -z $box_console ]] || rm -f "$box_console"
    box_leader='' box_supervisor='' box_console=''
}

# Ends what is left of the box. Nothing else is ever in its cgroup.
box_clear() {
    # shellcheck disable=SC2016 # expanded by the inner shell
    unshare --mount --propagation private bash -c '
        mount -t cgroup2 none /sys/fs/cgroup && cd "/sys/fs/cgroup/$1" 2>/dev/null || exit 0
        echo 1 >cgroup.kill
        for _ in {1..50}; do
            find . -depth -mindepth 1 -type d -exec rmdir {} + 2>/dev/null
            (cd .. && rmdir "$1" 2>/dev/null) && exit 0
            sleep 0.1
        done
        echo "the cgroup $1 could not be removed" >&2' - "$box_name" || true
}
