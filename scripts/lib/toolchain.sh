# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Sourced by the scripts next door: finds the Swift toolchain and installs the Debian packages that are missing.

fail() {
    echo "$(basename "$0"): $*" >&2
    exit 1
}

# Ends the script unless a Swift toolchain of 6.2 or later is there.
require_swift() {
    local version
    command -v swift >/dev/null || fail "no Swift toolchain found; install Swift 6.2 or later from https://swift.org/install"
    version=$(swift --version 2>/dev/null </dev/null) || version=
    [[ $version =~ Swift\ version\ ([0-9]+)\.([0-9]+) ]] || fail "'swift --version' names no version; reinstall Swift from https://swift.org/install"
    ((BASH_REMATCH[1] * 100 + BASH_REMATCH[2] >= 602)) ||
        fail "Swift ${BASH_REMATCH[1]}.${BASH_REMATCH[2]} is too old; install Swift 6.2 or later from https://swift.org/install"
}

# Whether what a Debian package brings is there, wherever it came from.
has_package() {
    case $1 in
        libsqlite3-dev) [[ -e /usr/include/sqlite3.h || -e /usr/local/include/sqlite3.h ]] ;;
        nginx | haproxy) command -v "$1" || [[ -x /usr/sbin/$1 ]] ;;
        nghttp2-client) command -v h2load ;;
        python3-venv) python3 -c 'import ensurepip, venv' ;;
        binutils) command -v readelf && command -v strip ;;
        dpkg-dev) command -v dpkg-shlibdeps ;;
        procps) command -v ps ;;
        golang-go) command -v go ;;
        nodejs) command -v node ;;
        chromium) command -v chromium || command -v chromium-browser || command -v google-chrome ;;
        *) command -v "$1" ;;
    esac >/dev/null 2>&1
}

# Installs the packages that are missing; 1 with a message when some still are after that.
install_packages() {
    local package as_root=(env DEBIAN_FRONTEND=noninteractive) missing=()
    for package in "$@"; do
        has_package "$package" || missing+=("$package")
    done
    ((${#missing[@]})) || return 0

    if ! command -v apt-get >/dev/null; then
        echo "$(basename "$0"): missing ${missing[*]} (Debian's names); install them with this system's package manager" >&2
        return 1
    fi
    if ((EUID != 0)); then
        if ! command -v sudo >/dev/null; then
            echo "$(basename "$0"): missing ${missing[*]}; as root, run: apt-get install ${missing[*]}" >&2
            return 1
        fi
        # Without a terminal there is nobody to type a password.
        if [[ -t 0 ]]; then as_root=(sudo "${as_root[@]}"); else as_root=(sudo -n "${as_root[@]}"); fi
    fi

    echo "Installing ${missing[*]}" >&2
    # An update that fails may still leave lists good enough for the install.
    "${as_root[@]}" apt-get update -qq </dev/null >/dev/null || true
    "${as_root[@]}" apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=120 "${missing[@]}" \
        </dev/null >/dev/null || true
    for package in "${missing[@]}"; do
        if ! has_package "$package"; then
            echo "$(basename "$0"): $package could not be installed; install it by hand" >&2
            return 1
        fi
    done
}
