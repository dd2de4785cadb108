"""AWS on one machine: ministack, with an ECS, a load balancer, stack resources and roles that behave as AWS's do.

README.md says how to start it, and lists what it imitates and what it does not. Other packages use only these names.
"""

from .interface import ACCOUNT as ACCOUNT
from .interface import REGION as REGION
from .interface import CallError as CallError
from .interface import Emulator as Emulator
from .interface import docker as docker
from .interface import until as until
from .limitations import LIMITATIONS as LIMITATIONS
from .visitors import Failure as Failure
from .visitors import Report as Report
from .visitors import Sight as Sight
from .visitors import Visitors as Visitors
