"""Looking at what there is to share out among tasks on this machine."""

from offbranch.api.queue_offer import found_devices
from offbranch.api.session import Session
from offbranch.project import find_root
from offbranch.queue.slots.machine import Machine, look_at_machine


def look_at_slots(session: Session) -> Machine:
    """Returns what this machine has for tasks, and who has it; also outside of a project."""
    return look_at_machine(found_devices(session), session.environment.slots_dir, find_root(session.start))
