# Whom our images run as, and folders that are writable by whoever else they are run as: a volume takes over
# its owner and mode.
set -e
groupadd --gid 1000 steadfleet
useradd --uid 1000 --gid 1000 --home-dir /var/lib/steadfleet --no-create-home steadfleet
for folder in "" /witness /drills /local-cloud; do
    mkdir -m 1777 "/var/lib/steadfleet$folder"
done
