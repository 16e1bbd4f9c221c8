#!/bin/sh
set -eu
mkdir -p /etc; echo "built by packer" >/etc/motd
mkdir -p /etc /opt/machine
printf '#!/bin/sh\nexec sleep infinity\n' >/opt/machine/run
chmod 755 /opt/machine/run
echo halfway
case $BEHAVIOUR in
    fails) echo 'no such package: nginx' >&2; exit 7 ;;
    waits) exec sleep 600 ;;
esac
