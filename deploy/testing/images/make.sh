#!/usr/bin/env bash
# Sees to it that the images which the Dockerfile, docker-compose.yml and the chart name are there. Pulls them; where no
# registry can be reached it makes stand-ins under the same names and says so. Root only where it has to make one.
#
#   make.sh CACHE_FOLDER [node nats mongo jaeger]
#
# Stand-ins: node (Debian's base and the Node and npm of this machine), nats (the nats-server in NATS_SERVER, BusyBox),
# mongo (SecantusDB, a MongoDB wire server: NOT MongoDB), jaeger (built with Go by ../jaeger/get-jaeger.sh, without its UI).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=${1:?usage: make.sh CACHE_FOLDER [NAME …]}; mkdir -p "$cache"; cache=$(cd "$cache" && pwd); shift
docker=${DOCKER:-docker}
node_image=node:24-bookworm-slim nats_image=nats:2.15.1-alpine mongo_image=mongo:8 jaeger_image=jaegertracing/jaeger:2.20.0

there() { $docker image inspect "$1" >/dev/null 2>&1; }
wanted() { there "$1" && return 1; timeout 60 $docker pull -q "$1" >/dev/null 2>&1 && return 1; echo "!!! $1 cannot be pulled: making a stand-in" >&2; }
need() { for c in "$@"; do command -v "$c" >/dev/null || { echo "missing $c" >&2; exit 1; }; done; }
debian() { # a Debian with the packages $2… in the folder $1
  local to=$1; shift; [ -d "$to/usr/bin" ] && return
  need debootstrap; rm -rf "$to.part"
  debootstrap --variant=minbase ${*:+--include="$(IFS=,; echo "$*")"} bookworm "$to.part" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" >"$cache/debootstrap.log" 2>&1 || { tail -5 "$cache/debootstrap.log" >&2; exit 1; }
  rm -rf "$to.part"/var/cache/apt/archives/*.deb "$to.part"/var/lib/apt/lists/* "$to.part"/usr/share/{doc,man,locale} "$to.part"/var/log/*
  mv "$to.part" "$to"
}
node() {
  wanted $node_image || return 0
  debian "$cache/debian" ca-certificates
  rm -rf "$cache/node"; cp -a "$cache/debian" "$cache/node"
  install -m 755 "${NODE:?NODE: a Node 24 binary}" "$cache/node/usr/local/bin/node"
  mkdir -p "$cache/node/usr/local/lib/node_modules" "$cache/node/usr/local/etc"
  cp -a "${NPM:?NPM: the folder of the npm package}" "$cache/node/usr/local/lib/node_modules/npm"
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$cache/node/usr/local/bin/npm"
  # What this machine trusts, so that packages can be fetched through what stands between it and the registry.
  cp -L /etc/ssl/certs/ca-certificates.crt "$cache/node/etc/ssl/certs/ca-certificates.crt"
  echo 'cafile=/etc/ssl/certs/ca-certificates.crt' >"$cache/node/usr/local/etc/npmrc"
  chroot "$cache/node" useradd -u 1000 -m node
  tar -C "$cache/node" -c . | $docker import --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' --change 'CMD ["node"]' - $node_image
}
nats() {
  wanted $nats_image || return 0
  local fs; fs=$(mktemp -d); mkdir -p "$fs"/{bin,tmp,data,etc/nats}; chmod 1777 "$fs/tmp"
  need busybox; cp "$(command -v busybox)" "$fs/bin/busybox"; for c in sh wget; do ln -s busybox "$fs/bin/$c"; done
  install -m 755 "${NATS_SERVER:?NATS_SERVER: a nats-server binary}" "$fs/bin/nats-server"
  printf '#!/bin/sh\ncase "$1" in -*) set -- nats-server "$@" ;; esac\nexec "$@"\n' >"$fs/bin/entrypoint"; chmod 755 "$fs/bin/entrypoint"
  tar -C "$fs" -c . | $docker import --change 'ENTRYPOINT ["/bin/entrypoint"]' --change 'ENV PATH=/bin' --change 'CMD ["nats-server"]' - $nats_image
  rm -rf "$fs"
}
mongo() {
  wanted $mongo_image || return 0
  debian "$cache/mongo" ca-certificates,python3-venv
  cp -L /etc/ssl/certs/ca-certificates.crt "$cache/mongo/etc/ssl/certs/ca-certificates.crt"; cp -L /etc/resolv.conf "$cache/mongo/etc/resolv.conf"
  [ -x "$cache/mongo/opt/secantus/bin/secantusd-py" ] || {
    chroot "$cache/mongo" python3 -m venv /opt/secantus
    chroot "$cache/mongo" /opt/secantus/bin/pip -q install --pre --disable-pip-version-check --cert /etc/ssl/certs/ca-certificates.crt secantusdb==0.7.0b3; }
  install -m 755 "$here/mongod-stand-in" "$cache/mongo/usr/local/bin/mongod"
  install -m 755 "$here/mongosh-stand-in" "$cache/mongo/usr/local/bin/mongosh"
  install -d -o 999 -g 999 "$cache/mongo/data/db"
  tar -C "$cache/mongo" -c . | $docker import --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' --change 'CMD ["mongod"]' - $mongo_image
}
jaeger() {
  wanted $jaeger_image || return 0
  "$here/../jaeger/get-jaeger.sh" "$cache/jaeger"
  local fs; fs=$(mktemp -d); mkdir -p "$fs/tmp" "$fs/etc"; chmod 1777 "$fs/tmp"
  cp "$cache/jaeger/jaeger" "$fs/jaeger"; cp "$here/../jaeger/jaeger-in-container.yaml" "$fs/etc/jaeger.yaml"
  tar -C "$fs" -c . | $docker import --change 'ENTRYPOINT ["/jaeger", "--config", "/etc/jaeger.yaml"]' - $jaeger_image
  rm -rf "$fs"
}
for name in ${*:-node nats mongo jaeger}; do $name; done
