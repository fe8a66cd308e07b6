#!/bin/sh
# Installs what the tests need besides Rust, where it is missing: a C compiler, and a browser to look at the console with.
set -eu

missing=""
command -v cc >/dev/null || missing="$missing gcc libc6-dev cmake"
command -v chromedriver >/dev/null || missing="$missing chromium chromium-driver"
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
  echo "These are missing, and this system has no apt-get to install them with:$missing" >&2
  exit 1
fi
as_root=""
[ "$(id -u)" -eq 0 ] || as_root="sudo"
$as_root apt-get update -qq
# The packages' names are words of their own.
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq $missing
