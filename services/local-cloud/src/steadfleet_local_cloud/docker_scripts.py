"""The shell scripts that run in a Docker machine. They need a POSIX shell and coreutils only."""

# The first process: it waits, and when told to stop lets everything end in order, for a second at most.
# 1 (the init that Docker puts before it) and itself are always there.
MAIN = """
stop() {
    trap '' TERM
    kill -TERM -1
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        set -- /proc/[0-9]*
        [ $# -le 2 ] && break
        sleep 0.1
    done
    exit 0
}
trap stop TERM
while :; do sleep 86400 & wait $!; done
"""

# Who may log in, and the machine's own identity, which a machine has for life but its image has not.
# stdin: the public key. It prints whether there is a program to start.
BOOT = """
set -eu
key=$(cat)
if [ -n "$key" ]; then
    mkdir -p /root/.ssh && chmod 700 /root/.ssh
    touch /root/.ssh/authorized_keys && chmod 600 /root/.ssh/authorized_keys
    grep -qxF "$key" /root/.ssh/authorized_keys || printf '%s\\n' "$key" >>/root/.ssh/authorized_keys
fi
if [ -x /usr/sbin/sshd ]; then
    for type in ed25519 ecdsa; do
        file=/etc/ssh/ssh_host_${type}_key
        [ -s "$file" ] || ssh-keygen -q -t "$type" -N '' -f "$file"
    done
    mkdir -p /run/sshd
    /usr/sbin/sshd -e 2>/proc/1/fd/2
fi
cd /opt/machine 2>/dev/null || exit 0
if [ -x run ] || [ -f run.py ]; then echo program; fi
"""

# At every boot anew: /run is memory, so that no image holds it. stdin: the user data in base64.
USER_DATA_FILE = "/run/user-data"
USER_DATA = f"""
set -eu
umask 077
base64 -d >{USER_DATA_FILE}
"""

# In the machine's folder, on its console; exec, so that its exit code is the program's own.
PROGRAM = """
exec >/proc/1/fd/1 2>/proc/1/fd/2 </dev/null
[ -x run ] && exec ./run
exec python3 -S -E run.py
"""

# $1: seconds; stdin: the script. It prints the exit code, or "none" if the time was over, and the output.
COMMAND = """
folder=$(mktemp -d /run/command-XXXXXX) && cat >"$folder/script" || exit 125
cd /opt/machine 2>/dev/null || cd /
timeout -s KILL "$1" /bin/sh -c '
    /bin/sh "$0/script" >"$0/stdout" 2>"$0/stderr" </dev/null
    echo $? >"$0/status"
' "$folder" >/dev/null 2>&1
cat "$folder/status" 2>/dev/null || echo none
cat "$folder/stdout"
cat "$folder/stderr" >&2
rm -rf "$folder"
"""

# Before an image is made: put aside in memory what a boot wrote and no other machine may have.
# stdin: the public key.
PUT_ASIDE = """
set -eu
key=$(cat)
aside=/run/local-cloud-aside
mkdir -m 700 "$aside"
for file in /etc/ssh/ssh_host_*; do
    [ -e "$file" ] && mv "$file" "$aside/"
done
keys=/root/.ssh/authorized_keys
if [ -n "$key" ] && [ -f "$keys" ]; then
    cp -p "$keys" "$aside/authorized_keys"
    grep -vxF "$key" "$aside/authorized_keys" >"$keys" || rm "$keys"
fi
rmdir /root/.ssh 2>/dev/null || :
"""

PUT_BACK = """
set -eu
aside=/run/local-cloud-aside
if [ -f "$aside/authorized_keys" ]; then
    mkdir -p /root/.ssh && chmod 700 /root/.ssh
    mv "$aside/authorized_keys" /root/.ssh/authorized_keys
fi
for file in "$aside"/ssh_host_*; do
    [ -e "$file" ] && mv "$file" /etc/ssh/
done
rmdir "$aside"
"""
