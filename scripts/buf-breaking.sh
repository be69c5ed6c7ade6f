#!/usr/bin/env bash
# Copyright 2026 The meshauth Authors
# SPDX-License-Identifier: Apache-2.0
#
# Refuses breaking changes of the protos: against the last release, or, before there is one, against main or the commit
# before this one.
set -euo pipefail
cd "$(dirname "$0")/.."

base=$(git describe --tags --abbrev=0 --match 'v*' 2>/dev/null || true)
if [ -z "$base" ] && [ "$(git rev-parse --verify --quiet origin/main)" != "$(git rev-parse HEAD)" ]; then
  base=$(git rev-parse --verify --quiet origin/main || true)
fi
[ -n "$base" ] || base=$(git rev-parse --verify --quiet HEAD~1 || true)
if [ -z "$base" ] || ! git cat-file -e "$base:buf.yaml" 2>/dev/null; then
  echo "nothing to compare with yet"
  exit 0
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
git archive "$base" buf.yaml proto | tar -x -C "$folder"
# The protos of others come with the packages; what they change is not ours to break.
ln -s "$PWD/node_modules" "$folder/node_modules"
buf=node_modules/.bin/buf
"$buf" build "$folder" -o "$folder/base.binpb"
"$buf" build -o "$folder/current.binpb"
"$buf" breaking "$folder/current.binpb" --against "$folder/base.binpb" --config buf.yaml
echo "no breaking change since $base"
