#!/bin/sh
# Move what packer uploaded to /tmp to where the machine runs it.
set -eu
mkdir -p /opt/machine
cp -R /tmp/machine/. /opt/machine/
chown -R 0:0 /opt/machine
chmod 755 /opt/machine /opt/machine/run
if [ -f /tmp/web.service ] && command -v systemctl >/dev/null; then
    install -m 644 /tmp/web.service /etc/systemd/system/web.service
    systemctl enable web.service
fi
rm -rf /tmp/machine /tmp/web.service
