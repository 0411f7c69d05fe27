#!/bin/sh
# Installs the Debian packages given as arguments, as root, and leaves no service of theirs running:
# Debian's prometheus package would start a server on :9090, and again at each boot.
set -eu

# What packages ask before they start a service. A machine that has its own answer keeps it.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT INT TERM
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install --yes --no-install-recommends "$@"

if [ -d /run/systemd/system ]; then
    for package in "$@"; do
        if systemctl cat "$package.service" > /dev/null 2>&1; then
            systemctl disable --now "$package.service"
        fi
    done
fi
