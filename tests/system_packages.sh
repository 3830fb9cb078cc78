#!/bin/sh
# What the suite needs from the system: LibreOffice opens the workbooks, Chromium the pages. Installed where this is root on
# Debian; elsewhere one line says what to install, and just those tests are skipped.
set -eu
missing=""
command -v soffice >/dev/null 2>&1 || missing="libreoffice-calc"
[ -x /usr/bin/chromium ] || missing="$missing chromium"
[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing $missing ..."
    # shellcheck disable=SC2086 # names of packages, one word each
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } \
        >/dev/null 2>&1 && exit 0
fi
echo "Not here: $missing. Install it (Debian: apt-get install libreoffice-calc chromium) to run the tests that open workbooks and pages."
