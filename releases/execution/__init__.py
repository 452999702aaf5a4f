"""The machine: the only code that changes the state of a release, a phase run or an activity run.

Every change is made under the release's row lock (`locked`), in one transaction with its events and with everything the
engine says follows from it (`advance`). What happens outside the database follows the commit and may be lost.
"""
