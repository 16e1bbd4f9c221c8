"""What will go wrong with a store of RDS, seen before anything is made."""

from steadfleet_activities.drill.aws import sources
from steadfleet_activities.drill.aws.clients import Regions
from steadfleet_activities.drill.aws.looking import Look
from steadfleet_activities.drill.aws.networks import AwsNetworks
from steadfleet_activities.drill.drivers import Inspected
from steadfleet_activities.fleet import tags
from steadfleet_core.drill.plan import RdsStore, Strategy, utc
from steadfleet_core.drill.steps import StepKind
from steadfleet_core.model import format_duration
from steadfleet_ports.drill import DrillInspection

_QUOTAS = {
    "DBInstances": "DB instances",
    "DBSubnetGroups": "DB subnet groups",
    "ManualSnapshots": "snapshots",
}


class StorePreflight:
    """Looks at one store. Blocks."""

    def __init__(
        self, regions: Regions, networks: AwsNetworks, store: RdsStore, inspection: DrillInspection
    ) -> None:
        self._store = store
        self._networks = networks
        self._drill = inspection.drill
        self._now = inspection.at
        self._resolved = inspection.drill.store(store.name)
        self._aws = regions.at(inspection.drill.region)
        self._home = regions.at(self._resolved.facts.get("region", regions.home))
        self._live = inspection.drill.plan.spec.strategy is not Strategy.BACKUP_RESTORE
        kind = StepKind.REPLICATE if self._live else StepKind.RESTORE
        self._look = Look(f"store {store.name}", f"{kind} {store.name}")

    def look(self) -> Inspected:
        with self._look.asking("the source"):
            self._source()
        with self._look.asking("the recovery point"):
            self._standing_copy() if self._live else self._backup()
        with self._look.asking("that its copy's name is free"):
            self._name()
        with self._look.asking("limits of RDS", needed=False):
            self._limits()
        with self._look.asking(f"that {self._store.instance_class} can be ordered", needed=False):
            self._class()
        return self._look.told()

    def _source(self) -> None:
        source = sources.instance(self._home, self._store.id)
        if source is None:
            self._look.say(f"the source {self._store.id} is gone from {self._home.region}", blocks=True)
            return
        status = source.get("DBInstanceStatus", "")
        if self._live and status != "available":
            self._look.say(
                f"the source {self._store.id} is {status}, expected available: no replica can be made",
                blocks=True,
            )
        if self._live and not source.get("BackupRetentionPeriod"):
            self._look.say(
                f"the source {self._store.id} keeps no automated backups: RDS makes no replica of it",
                blocks=True,
                advice="give it a backup retention period of a day or more",
            )

    def _standing_copy(self) -> None:
        source = sources.instance(self._home, self._store.id)
        ours = f":{self._aws.region}:"
        names = source.get("ReadReplicaDBInstanceIdentifiers", []) if source else []
        here = [name for name in names if ours in name or self._aws.region == self._home.region]
        for name in here:
            self._one_network(name)
        if not here:
            self._look.say(
                f"{self._store.id} has no standing replica in {self._aws.region}: the drill makes one before "
                "its clock starts, and in a disaster there would be none",
                advice="keep a read replica in the recovery region, or choose backup-restore",
            )

    def _one_network(self, replica: str) -> None:
        """Look whether the drill's replica may stand beside it: RDS wants those of one region in one VPC."""
        found = sources.instance(self._aws, replica)
        stands_in = found.get("DBSubnetGroup", {}).get("VpcId") if found else None
        ground = self._networks.ground(self._aws).vpc
        if stands_in and (ground is None or ground["VpcId"] != stands_in):
            self._look.say(
                f"the standing replica {replica.rpartition(':')[2]} is in {stands_in}, and the drill is not: "
                "RDS makes no second replica of the same source in another VPC of the region",
                blocks=True,
                advice="recover by backup-restore, or let the drill use that VPC",
            )

    def _backup(self) -> None:
        resolved, rpo = self._resolved, self._drill.plan.spec.objectives.rpo
        if resolved.point is None:
            self._look.say("no recovery point was found for it", blocks=True)
            return
        if resolved.point_id:
            place = self._aws if resolved.facts["point_region"] == self._aws.region else self._home
            held = sources.snapshot(place, resolved.point_id)
            if held is None or held.get("Status") != "available":
                self._look.say(f"snapshot {resolved.point_id} is not there any more", blocks=True)
        if self._drill.plan.spec.recovery_point.latest and self._now - resolved.point > rpo:
            self._look.say(
                f"the newest backup is of {utc(resolved.point)}, older than the RPO of "
                f"{format_duration(rpo)}: what was written since would be lost",
                advice="back it up more often, or replicate its backups to the recovery region",
            )
        if resolved.facts.get("point_region", self._aws.region) != self._aws.region:
            self._look.say(
                f"snapshot {resolved.point_id} lies in {self._home.region} only, the region that a disaster "
                f"takes: it is copied to {self._aws.region} while the clock runs",
                advice="copy every snapshot to the recovery region when it is made",
            )

    def _name(self) -> None:
        found = sources.instance(self._aws, self._resolved.copy_id)
        if found is not None:
            whose = sources.tagged(found).get(tags.RUN) or "nobody's tag"
            self._look.say(
                f"DB instance {self._resolved.copy_id} is there already, with {whose}",
                blocks=True,
                advice="remove it, or sweep the run that left it",
            )

    def _limits(self) -> None:
        needed = sum(store.type == "rds" for store in self._drill.plan.spec.stores)
        quotas = self._aws.rds.describe_account_attributes()["AccountQuotas"]
        for quota in quotas:
            what = _QUOTAS.get(quota.get("AccountQuotaName", ""))
            need = 1 if what == "DB subnet groups" else needed
            used, most = quota.get("Used", 0), quota.get("Max", 0)
            if what and used + need > most:
                self._look.say(
                    f"{need} more {what} do not fit into {self._aws.region}: {used} of {most} are used",
                    blocks=True,
                    advice="raise the quota of the recovery region before you need it",
                )

    def _class(self) -> None:
        answer = self._aws.rds.describe_orderable_db_instance_options(
            Engine="postgres",
            EngineVersion=self._resolved.facts.get("engine_version", ""),
            DBInstanceClass=self._store.instance_class,
            MaxRecords=20,
        )
        if not answer["OrderableDBInstanceOptions"]:
            self._look.say(
                f"{self._store.instance_class} cannot be ordered for {self._resolved.engine} in "
                f"{self._aws.region}",
                blocks=True,
                advice="choose another instanceClass",
            )
