#!/usr/bin/env bash
# What `make check` needs, looked at before anything is built. As root on Debian
# it installs what is missing. Anybody else gets one line with the command to
# type. This is the only list; .ci/run reads it, too.
set -euo pipefail

fail() { printf 'switchlog: %s\n' "$*" >&2; exit 1; }

missing=() # Debian packages
need() { command -v "$1" >/dev/null || missing+=("$2"); }

need gcc gcc                # cgo: SQLite is C
need git git                # the version, and the tests that read tracked files
need make make
need sqlite3 sqlite3        # the shell people read the database with
need node nodejs            # a client of PluralKit's API that the mirror is asked with
need npm npm                # and what it is installed with
need chromium chromium       # a browser that the dashboard is looked at with
need fusermount3 fuse3      # disks that fail: the tests mount them without being root

# gcc alone does not bring the C library's headers on Debian.
if ! echo '#include <stdlib.h>' | gcc -E - >/dev/null 2>&1; then missing+=(libc6-dev); fi

# Without them no module can be fetched over HTTPS.
certificates=${CERTIFICATES:-/etc/ssl/certs/ca-certificates.crt}
if [[ ! -s $certificates ]]; then missing+=(ca-certificates); fi

# What cannot be installed comes first: to install the rest would be in vain.
PATH=$PATH:/usr/local/go/bin
command -v go >/dev/null ||
	fail 'Go is missing (hint: install it from https://go.dev/dl, the version in go.mod or newer)'
# Go 1.21 and newer fetch the version that go.mod names by themselves.
have=$(GOTOOLCHAIN=local go env GOVERSION)
[[ $(printf '%s\n' go1.21 "$have" | sort -V | head -n 1) == go1.21 ]] ||
	fail "$have is too old (hint: install Go from https://go.dev/dl, the version in go.mod or newer)"

fuse=${FUSE_DEVICE:-/dev/fuse}
if [[ ! -e $fuse ]]; then
	fail "there is no $fuse, on which the tests of failing disks mount (hint: on a machine: modprobe fuse; in a container: start it with --device /dev/fuse --cap-add SYS_ADMIN)"
fi
if ! { : <>"$fuse"; } 2>/dev/null; then
	fail "$fuse may not be opened by $(id -un) (hint: as root: chmod 666 $fuse; in a container: start it with --device /dev/fuse --cap-add SYS_ADMIN)"
fi
# Mounting takes CAP_SYS_ADMIN (bit 21): our own, or by the set-user-ID bit of
# fusermount3, which needs it in the container's bounding set.
capabilities() { awk -v name="$1:" '$1 == name { print $2 }' /proc/self/status; }
((16#$(capabilities CapBnd) >> 21 & 1)) ||
	fail 'nothing may be mounted here, and the tests of failing disks mount (hint: start the container with --device /dev/fuse --cap-add SYS_ADMIN)'

# fusermount3, which mounts for who is not root, reads it.
mtab=${MTAB:-/etc/mtab}
[[ $(id -u) == 0 || -e $mtab ]] ||
	fail "there is no $mtab, which fusermount3 reads (hint: sudo ln -s ../proc/self/mounts $mtab)"

((${#missing[@]})) || exit 0

install="apt-get install -y --no-install-recommends ${missing[*]}"
if [[ $(id -u) != 0 ]]; then fail "missing: ${missing[*]} (hint: sudo $install)"; fi
command -v apt-get >/dev/null ||
	fail "missing, by the names of their Debian packages: ${missing[*]} (hint: install them with this system's package manager)"
printf 'installing %s\n' "${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
$install
