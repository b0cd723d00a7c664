"""What is asked of management controllers, and what they answer: pure models, a typed reference for each activity."""

from cluster.breakglass.power import MachineFinding, MachineWish, PowerWish
from cluster.contracts.reference import Activity

machine = Activity("bmc.machine", MachineWish, MachineFinding)
switch = Activity("bmc.switch", PowerWish, MachineFinding)
