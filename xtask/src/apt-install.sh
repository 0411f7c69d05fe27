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

# Nor at the next boot. Only packages that were missing are named here, so nothing of the operator's is stopped.
for package in "$@"; do
    if command -v systemctl > /dev/null && [ -e "/lib/systemd/system/$package.service" ]; then
        systemctl disable "$package.service"
        if [ -d /run/systemd/system ]; then systemctl stop "$package.service"; fi
    fi
done
