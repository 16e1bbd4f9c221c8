#!/bin/sh
# Have the namespace, its retention and the search attributes that campaigns, images and drills put into visibility.
# Safe to repeat.
set -eu
TEMPORAL_API_KEY=$(cat /run/steadfleet/admin/token)
export TEMPORAL_API_KEY
if temporal operator namespace describe --namespace "$TEMPORAL_NAMESPACE" >/dev/null 2>&1; then
    temporal operator namespace update --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION" >/dev/null
else
    temporal operator namespace create --namespace "$TEMPORAL_NAMESPACE" --retention "$RETENTION"
fi
set -- \
    SfState Keyword SfFleet Keyword SfReason Text SfFamily Keyword SfPlan Keyword \
    SfWave Int SfChanged Int SfFailed Int SfVersion Keyword
known=
for attempt in 1 2 3 4 5 6 7 8 9 10; do # a namespace that was just made is known to all in a few seconds
    known=$(temporal operator search-attribute list) && break
    sleep 2
done
[ -n "$known" ] || { echo "namespace: the search attributes of $TEMPORAL_NAMESPACE cannot be listed" >&2; exit 1; }
while [ $# -gt 0 ]; do
    case $known in
    *"$1 "*) ;;
    *) temporal operator search-attribute create --name "$1" --type "$2" ;;
    esac
    shift 2
done
