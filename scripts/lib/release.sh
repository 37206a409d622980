# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Sourced by scripts/install and scripts/package-deb: the release build, and where each file of it goes.

# What a release may need at run time. Swift's own libraries are inside.
RELEASE_LIBRARIES='^(ld-linux-.*|lib(c|m|stdc\+\+|gcc_s|sqlite3|pthread|dl|rt|util|resolv))\.so\.[0-9]+$'

# Sets release_binary, and ends the script where it would need a library that only a build machine has.
build_release() {
    local build=(swift build -c release --static-swift-stdlib --product rowtail)
    require_swift
    install_packages git libsqlite3-dev binutils
    "${build[@]}"
    # shellcheck disable=SC2034 # for whoever calls
    release_binary="$("${build[@]}" --show-bin-path)/rowtail"
}

check_release() {
    local needed
    needed=$(readelf --dynamic --wide "$1" | sed -nE 's/.*\(NEEDED\).*\[(.*)\]/\1/p')
    [[ -n $needed ]] || fail "'$1' is no program that needs libraries; name a release build of rowtail"
    ! grep --invert-match --extended-regexp "$RELEASE_LIBRARIES" <<<"$needed" >&2 ||
        fail "'$1' needs the libraries above, which other machines may not have; build it with --static-swift-stdlib"
}

# Puts everything but the configuration below a folder: place_release BINARY ROOT
place_release() {
    local binary=$1 root=$2
    check_release "$binary"
    # Without the names of functions it is half as large.
    strip --strip-unneeded -o "$root/rowtail.new" "$binary"
    install -D --mode=755 "$root/rowtail.new" "$root/usr/bin/rowtail"
    rm "$root/rowtail.new"
    install -D --mode=644 config/rowtail.service "$root/usr/lib/systemd/system/rowtail.service"
    install -D --mode=644 config/rowtail.socket "$root/usr/lib/systemd/system/rowtail.socket"
    install -D --mode=644 config/rowtail.sysusers "$root/usr/lib/sysusers.d/rowtail.conf"
    install -D --mode=644 config/rowtail.yaml "$root/usr/share/doc/rowtail/examples/rowtail.yaml"
    install -D --mode=644 --target-directory="$root/usr/share/doc/rowtail" docs/*.md
    install -D --mode=644 --target-directory="$root/usr/share/doc/rowtail/images" docs/images/*.png
    place_man_pages "$root"
}

# Nothing else depends on them: where they can't be made, everything is installed but them.
place_man_pages() {
    local root=$1 folder page
    if ! install_packages python3; then
        echo "$(basename "$0"): going on without the manual pages" >&2
        return 0
    fi
    folder=$(mktemp -d)
    python3 scripts/lib/man_pages.py "$folder"
    for page in man1/rowtail.1 man5/rowtail.yaml.5; do
        gzip --best --no-name "$folder/$page"
        install -D --mode=644 "$folder/$page.gz" "$root/usr/share/man/$page.gz"
    done
    rm -r "$folder"
}
