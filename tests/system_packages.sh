#!/bin/sh
# What the suite needs from the system: LibreOffice opens the workbooks. Installed where this is root on Debian; elsewhere
# one line says what to install, and just those tests are skipped.
set -eu
command -v soffice >/dev/null 2>&1 && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing LibreOffice Calc ..."
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends libreoffice-calc; } \
        >/dev/null 2>&1 && exit 0
fi
echo "LibreOffice is not here: install it (Debian: apt-get install libreoffice-calc) to run the tests that open workbooks."
