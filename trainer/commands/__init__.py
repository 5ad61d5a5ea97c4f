"""What each of the trainer's commands takes and does; the work is done by the rooms beside this one."""
