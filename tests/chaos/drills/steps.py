"""A moment inside of every step of a drill, of both strategies, and what a whole drill makes."""

from chaos.moments import Moment

from steadfleet_core.drill.plan import Strategy

STEPS = {
    "isolate": Moment("driller", "CreateHostedZone"),
    "copy": Moment("driller", "CopyDBSnapshot"),
    "restore": Moment("driller", "RestoreDBInstanceFromDBSnapshot"),
    "provision": Moment("driller", "CreateLoadBalancer"),
    "start": Moment("driller", "CreateAutoScalingGroup"),
    "validating": Moment("driller", "SendCommand"),
    "measuring": Moment("witness", "GetObject", "Key=ledgers/"),
    "tearing down": Moment("janitor", "DeleteAutoScalingGroup"),
}
"""Those of a recovery from a backup; what serves is watched from `isolate` to `start`."""

LIVE_STEPS = {
    "replicate": Moment("driller", "CreateDBInstanceReadReplica"),
    "declare": Moment("witness", "PutObject", "Key=ledgers/"),
    "promote": Moment("driller", "PromoteReadReplica"),
}
"""Those that a pilot light has besides."""

_NETWORK_AND_SERVICE = {
    "CreateAutoScalingGroup",
    "CreateDBSubnetGroup",
    "CreateHostedZone",
    "CreateLaunchTemplate",
    "CreateListener",
    "CreateLoadBalancer",
    "CreateSecurityGroup",
    "CreateTargetGroup",
}
MADE = {
    Strategy.BACKUP_RESTORE: _NETWORK_AND_SERVICE | {"CopyDBSnapshot", "RestoreDBInstanceFromDBSnapshot"},
    Strategy.PILOT_LIGHT: _NETWORK_AND_SERVICE | {"CreateDBInstanceReadReplica"},
}
"""The calls that make the things of a drill with one store and one service; each makes one."""
