#!/usr/bin/env bash
# Runs `make demo` and `make test` of the current commit on fresh Debian machines, and says what passed:
#
#   tests/debian.sh [RELEASE...]    # bookworm (Python 3.11) and trixie (Python 3.13) if none is named
#
# Each machine is a root that debootstrap makes from the mirror of this machine's apt; it takes 8 GB below
# TMPDIR (default /var/tmp) and is removed at the end. Needs root.
set -euo pipefail
cd "$(dirname "$0")/.."

main() {
  local releases=("$@") release failed=0
  [ $# -gt 0 ] || releases=(bookworm trixie)
  [ "$(id -u)" = 0 ] || fail "expected root: debootstrap, mount and chroot need it"
  command -v debootstrap >/dev/null || fail "expected debootstrap (apt-get install debootstrap)"
  git diff --quiet HEAD || echo "debian: changes that are not committed are not tested" >&2
  commit=$(git rev-parse HEAD)
  report=$(mktemp)
  trap 'rm "$report"' EXIT
  trap 'exit 130' INT TERM
  for release in "${releases[@]}"; do
    # namespaces, so that mounts and processes end with the run, however it ends
    unshare --mount --pid --fork --kill-child --mount-proc "$PWD/tests/debian.sh" --in-namespace "$release" "$commit" "$report" || {
      echo "$release: FAILED" >>"$report"
      failed=1
    }
  done
  printf '\n%s\n' "$(git log -1 --format='debian: %h %s' "$commit")"
  cat "$report"
  return "$failed"
}

fail() {
  echo "debian: $1" >&2
  exit 2
}

test_release() {
  local release=$1 commit=$2 report=$3 target log result counts failed=0
  trap remove_root EXIT
  trap 'exit 130' INT TERM
  make_root "$release"
  mount_file_systems
  pass_on_network
  git clone --quiet --no-local --no-checkout . "$root/opt/earshot"
  git -C "$root/opt/earshot" checkout --quiet --detach "$commit"
  echo "debian: $release: installing packages"
  install_packages
  log=$root/tmp/log
  for target in demo test; do
    echo "debian: $release, $(inside python3 --version): make $target"
    result=passed
    inside make -C /opt/earshot "$target" 2>&1 | tee "$log" || { result=FAILED; failed=1; }
    counts=$(sed -nE 's/^([0-9]+ (failed|passed|errors?).*)/, \1/p' "$log" | tail -n 1)
    echo "$release, $(inside python3 --version): make $target $result$counts" >>"$report"
  done
  return "$failed"
}

make_root() {
  local mirror
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Label: Debian' | sed -n 1p)
  [ -n "$mirror" ] || fail "expected a mirror in apt's configuration (apt-get update)"
  root=$(mktemp --directory "${TMPDIR:-/var/tmp}/earshot-$1-XXXXXX")
  chmod 0755 "$root"
  echo "debian: $1: debootstrap in $root"
  debootstrap --variant=minbase --include=python3,python3-venv,make,git,ca-certificates \
    "$1" "$root" "$mirror" >"$root.log" || { tail "$root.log" >&2; exit 1; }
  rm "$root.log"
}

mount_file_systems() {
  mount --bind "$root" "$root"  # so that remove_root can unmount all that lies in it
  mount -t proc proc "$root/proc"
  mount -t sysfs -o ro sysfs "$root/sys"
  mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$root/dev/pts"
  ln -sf pts/ptmx "$root/dev/ptmx"
  mkdir -p "$root/dev/shm"
  mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
  shared=$(realpath "${EARSHOT_SHARED:-../shared}")
  if [ -d "$shared" ]; then
    mkdir "$root/opt/shared"
    mount --bind "$shared" "$root/opt/shared"
    mount -o remount,bind,ro "$root/opt/shared"
  fi
}

remove_root() {
  [ -n "${root:-}" ] || return 0
  umount --recursive --lazy "$root" 2>/dev/null || true
  rm -rf --one-file-system "$root" "$root.log"
}

# How this machine reaches the network: names, proxies, certificates, pip's index.
pass_on_network() {
  local name value
  cp --dereference /etc/resolv.conf /etc/hosts "$root/etc/"
  environment=(PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 EARSHOT_SHARED=/opt/shared
    PYTEST_ADDOPTS=-rs)  # why tests skip
  for name in index-url trusted-host proxy; do
    value=$(python3 -m pip config get "global.$name" 2>/dev/null) || continue
    name=${name^^}
    environment+=("PIP_${name//-/_}=$value")
  done
  local wanted='^(PIP_(INDEX_URL|TRUSTED_HOST|PROXY|DEFAULT_TIMEOUT|RETRIES)|(http|https|no)_proxy|WORKERS)='
  mapfile -t -O "${#environment[@]}" environment < <(env | grep -iE "$wanted")
  if [ -f /etc/ssl/certs/ca-certificates.crt ]; then  # with authorities that only this machine knows
    cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/machine.crt"
    environment+=(PIP_CERT=/etc/ssl/machine.crt)
  fi
}

install_packages() {
  local packages
  read -r -d '' -a packages < <(sed 's/#.*//' "$root/opt/earshot/.ci/packages") || true
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"  # no service starts: its port may be taken
  chmod +x "$root/usr/sbin/policy-rc.d"
  inside apt-get update -qq
  inside DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
}

inside() {
  chroot "$root" /usr/bin/env -i "${environment[@]}" "$@"
}

if [ "${1:-}" = --in-namespace ]; then
  test_release "$2" "$3" "$4"
else
  main "$@"
fi
