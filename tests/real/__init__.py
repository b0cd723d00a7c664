"""The engine's own activities against the real corosync, qnetd, qdevice and sshd of the distribution.

Machines are namespaces of this computer, made here and gone with the process that made them: each is a process tree
with a network, a host name and folders of its own. Beside them runs the twin, at the wall's speed, and meets the same
faults; PVE's API and the arrays, which no package of Debian's brings, are the twin's for both.
"""
