"""
What the local cloud refuses, and why.

LocalCloudError
├── PortTakenError      another program listens on the port
├── NetworkTakenError   another local cloud's machines live in the network
├── StateTakenError     another local cloud writes to the state folder
├── ContentError        a folder cannot be the content of an image
├── FaultError          a fault makes no sense
├── MachineError        a machine could not be started or reached
├── EngineError         there is no Docker engine that machines could run on, or it failed
├── BaseImageError      the image that Docker machines begin with could not be made
└── PostgresError       a database server could not be made, started or reached
    └── MissingPostgresError   its programs are not installed
"""


class LocalCloudError(Exception):
    """What went wrong, and what to do about it."""


class PortTakenError(LocalCloudError):
    pass


class NetworkTakenError(LocalCloudError):
    pass


class StateTakenError(LocalCloudError):
    pass


class ContentError(LocalCloudError):
    pass


class FaultError(LocalCloudError):
    pass


class MachineError(LocalCloudError):
    pass


class EngineError(LocalCloudError):
    pass


class BaseImageError(LocalCloudError):
    pass


class PostgresError(LocalCloudError):
    pass


class MissingPostgresError(PostgresError):
    pass
