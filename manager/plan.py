"""PURE: desired specs + what is observed -> the least that must be done, in order, each step with its cause.

What every plan keeps to:
- no step removes a volume (there is no such kind of step);
- a container is started only under its client's one name, after every other container of ours on that volume
  was stopped and seen stopped, and never while a stranger's container runs on the volume. An engine gives a
  name to one container at a time, so two managers at once cannot start two;
- a bot that should not run (disabled, or taken out of bots.yaml) has no container; its volume stays.

A plan that was cut short needs no repair: the next one starts from what is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from bot.contract import LABEL_SPEC_HASH
from manager.observed import ContainerState, Observed, ObservedContainer
from manager.spec import SECRET_PREFIX, ContainerSpec, container_name, readable_settings, volume_name


class Say(Protocol):
    """A catalogue: key and values -> text in the reader's language."""

    def __call__(self, key: str, **values: object) -> str: ...


class ActionKind(StrEnum):
    """There is no kind that removes a volume: no plan can ever contain one."""

    CREATE_NETWORK = "create-network"
    CREATE_VOLUME = "create-volume"
    CREATE = "create"
    START = "start"
    STOP = "stop"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Change:
    """One setting that differs. None: not set. Secrets come as `#digest` and are never shown."""

    setting: str
    old: str | None
    new: str | None

    def say(self, say: Say) -> str:
        if (self.old or "").startswith(SECRET_PREFIX) or (self.new or "").startswith(SECRET_PREFIX):
            key = "added" if self.old is None else "removed" if self.new is None else "changed"
            return say(f"plan.secret_{key}", setting=self.setting)
        unset = say("plan.unset")
        return say("plan.change", setting=self.setting, old=self.old or unset, new=self.new or unset)


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a step is taken: a text of the catalogue (`plan.cause_<key>`), or the settings that differ."""

    key: str
    values: Mapping[str, object] = field(default_factory=dict)
    changes: tuple[Change, ...] = ()

    def say(self, say: Say) -> str:
        if self.changes:
            return ", ".join(change.say(say) for change in self.changes)
        return say(f"plan.cause_{self.key}", **self.values)


@dataclass(frozen=True, slots=True)
class Note:
    """What people should know beside the steps. `blocking`: nothing is done for it until this is mended."""

    client_id: str | None
    key: str
    values: Mapping[str, object] = field(default_factory=dict)
    blocking: bool = False

    def say(self, say: Say) -> str:
        return say(f"plan.note_{self.key}", client=self.client_id, **self.values)


@dataclass(frozen=True, slots=True)
class Action:
    """One step. Steps of one client run in order; clients in parallel.

    `target`: a container's id (STOP, REMOVE, START); a name where there is no id yet (CREATE*, then START).
    """

    kind: ActionKind
    client_id: str | None
    target: str
    cause: Cause
    spec: ContainerSpec | None = None

    @property
    def begins_a_bot(self) -> bool:
        """The start of a bot that had nothing on the engine before."""
        return self.kind is ActionKind.START and self.cause.key == "new"


Lane = tuple[Action, ...]

# These wait for a start on the very network they had before.
_KEEP_THEIR_NETWORK = (ContainerState.EXITED, ContainerState.PAUSED, ContainerState.RESTARTING)


@dataclass(frozen=True, slots=True)
class Plan:
    """`shared` first (network), then every lane in parallel; inside a lane strictly one after another."""

    shared: tuple[Action, ...] = ()
    lanes: tuple[Lane, ...] = ()
    notes: tuple[Note, ...] = ()

    @property
    def empty(self) -> bool:
        return not self.shared and not any(self.lanes)

    @property
    def blocked(self) -> frozenset[str]:
        return frozenset(note.client_id for note in self.notes if note.blocking and note.client_id)


def make_plan(
    desired: Sequence[ContainerSpec],
    observed: Observed,
    *,
    only: frozenset[str] | None = None,
    disabled: frozenset[str] = frozenset(),
) -> Plan:
    """`desired`: one spec for every bot that should run. `disabled`: clientIds of bots.yaml that should not.

    Any other clientId on the engine was taken out of bots.yaml. `only` narrows the plan to some clients.
    """
    wanted = [spec for spec in desired if only is None or spec.client_id in only]
    by_client = _by_client(observed)
    lanes: list[Lane] = []
    notes: list[Note] = []
    for spec in wanted:
        found = by_client.get(spec.client_id, [])
        lane = _plan_client(spec, found, observed)
        obstacle = (_stranger(spec, observed) or _other_bot(spec, observed)) if lane else None
        if obstacle:
            notes.append(obstacle)
            lane = () if _stranger(spec, observed) else _without_start(lane)
        if lane:
            lanes.append(lane)
        elif any(each.state is ContainerState.RESTARTING for each in found):
            notes.append(Note(spec.client_id, "restarting"))
    notes += _neighbours(lanes, observed)
    running = {spec.client_id for spec in desired}
    for client_id in sorted(by_client.keys() - running):
        if only is None or client_id in only:
            key = "disabled" if client_id in disabled else "taken_out"
            lanes.append(_plan_end(by_client[client_id], Cause(key)))
            volumes = sorted({each.volume for each in by_client[client_id] if each.volume})
            notes.append(Note(client_id, f"kept_{key}", {"volume": ", ".join(volumes) or "-"}))
    if only is not None:
        # Asked for by name, and nothing is done for them: that wants a word.
        notes += [Note(client_id, "disabled") for client_id in sorted((only & disabled) - by_client.keys())]
    else:
        notes += _leftover_volumes(observed, running | disabled | by_client.keys())
    return Plan(_plan_network(wanted, lanes, observed), tuple(lanes), tuple(notes))


def plan_down(observed: Observed, only: frozenset[str] | None = None) -> Plan:
    """Every container of the project (or of `only`) stopped and removed; volumes stay."""
    return Plan(lanes=tuple(_plan_end(group, Cause("down")) for _, group in _chosen(observed, only)))


def plan_restart(
    observed: Observed,
    only: frozenset[str] | None = None,
    disabled: frozenset[str] = frozenset(),
    cause: str = "restart",
) -> Plan:
    """Every container (or those of `only`) stopped and started again as it is. `cause`: a key of `Cause`.

    What changed in bots.yaml is `up`'s business, and so is a bot without a container.
    """
    lanes: list[Lane] = []
    absent = sorted((only or frozenset()) - _by_client(observed).keys())
    notes = [_cannot_restart(client_id, disabled) for client_id in absent]
    for client_id, group in _chosen(observed, only):
        own = (container_name(observed.project, client_id), volume_name(observed.project, client_id))
        keep = next((each for each in group if (each.name, each.volume) == own), None)
        if keep is None or not _can_start(keep, observed):
            notes.append(_cannot_restart(client_id, disabled))
        elif obstacle := (
            _stranger_on_volume(client_id, own[1], observed)
            or _other_bot_on_volume(client_id, own[1], observed)
        ):
            notes.append(obstacle)
        else:
            why = Cause(cause)
            lane = [_step(ActionKind.STOP, each, why) for each in group if each.state.may_write]
            lanes.append((*lane, _step(ActionKind.START, keep, why)))
    return Plan(lanes=tuple(lanes), notes=tuple(notes))


def _cannot_restart(client_id: str, disabled: frozenset[str]) -> Note:
    """`up` alone would leave a disabled bot as it is."""
    return Note(client_id, "disabled" if client_id in disabled else "needs_up", blocking=True)


def plan_rm(observed: Observed, client_id: str) -> Plan:
    """The container goes. Whether the volume goes too is asked elsewhere, and is no part of any plan."""
    chosen = _chosen(observed, frozenset({client_id}))
    return Plan(lanes=tuple(_plan_end(group, Cause("rm")) for _, group in chosen))


def render(plan: Plan, say: Say) -> list[str]:
    """One line for the network, one for each client, one for each note."""
    lanes = [*((action,) for action in plan.shared), *plan.lanes]
    return [*(render_lane(lane, say) for lane in lanes), *(note.say(say) for note in plan.notes)]


def render_lane(lane: Lane, say: Say) -> str:
    """`recreate client-1: memory 512m -> 1g`"""
    what = lane[0].client_id or lane[0].target
    return f"{say(f'plan.verb_{verb(lane)}')} {what}: {leading_cause(lane).say(say)}"


def leading_cause(lane: Lane) -> Cause:
    """The cause of a lane that tells people most: why its bot is started, else why it is stopped."""
    chosen = [action for action in lane if action.kind in (ActionKind.CREATE, ActionKind.START)]
    return (chosen or list(lane))[0].cause


def verb(lane: Lane) -> str:
    """What a lane does to its bot, in one word: create, recreate, restart, start, stop or remove."""
    kinds = {action.kind for action in lane}
    if ActionKind.CREATE_NETWORK in kinds or ActionKind.CREATE in kinds:
        return "recreate" if kinds & {ActionKind.STOP, ActionKind.REMOVE} else "create"
    if ActionKind.START in kinds:
        return "restart" if ActionKind.STOP in kinds else "start"
    return "stop" if ActionKind.STOP in kinds else "remove"


def _by_client(observed: Observed) -> dict[str, list[ObservedContainer]]:
    groups: dict[str, list[ObservedContainer]] = {}
    for container in sorted(observed.containers, key=lambda each: (each.created, each.id)):
        groups.setdefault(container.client_id, []).append(container)
    return groups


def _chosen(observed: Observed, only: frozenset[str] | None) -> Iterable[tuple[str, list[ObservedContainer]]]:
    return [item for item in sorted(_by_client(observed).items()) if only is None or item[0] in only]


def _step(
    kind: ActionKind, container: ObservedContainer, cause: Cause, spec: ContainerSpec | None = None
) -> Action:
    return Action(kind, container.client_id, container.id, cause, spec)


def _plan_network(wanted: Sequence[ContainerSpec], lanes: Iterable[Lane], observed: Observed) -> Lane:
    starts = any(action.kind is ActionKind.START for lane in lanes for action in lane)
    if observed.network_exists or not starts:
        return ()
    return (Action(ActionKind.CREATE_NETWORK, None, wanted[0].network, Cause("network_missing")),)


def _plan_client(spec: ContainerSpec, found: Sequence[ObservedContainer], observed: Observed) -> Lane:
    """Nothing, when exactly the wanted container runs, alone. Else: stale ones out, then the start."""
    keep = next((each for each in found if _is_wanted(each, spec, observed)), None)
    others = [each for each in found if each is not keep]
    why = _cause(spec, found, observed)
    lane: list[Action] = []
    for each in others:
        duplicate = Cause("duplicate", {"name": each.name})
        lane += _plan_end([each], why if keep is None and each.name == spec.name else duplicate)
    if keep is not None:
        if keep.state is ContainerState.PAUSED:
            lane.append(_step(ActionKind.STOP, keep, why, spec))
        if not keep.state.may_write or keep.state is ContainerState.PAUSED:
            lane += _volume_step(spec, observed, why)
            lane.append(_step(ActionKind.START, keep, why, spec))
        return tuple(lane)
    lane += _volume_step(spec, observed, why)
    lane.append(Action(ActionKind.CREATE, spec.client_id, spec.name, why, spec))
    lane.append(Action(ActionKind.START, spec.client_id, spec.name, why, spec))
    return tuple(lane)


def _plan_end(group: Iterable[ObservedContainer], cause: Cause) -> Lane:
    """All stopped first, then all removed: what runs on a volume ends before anything else happens to it."""
    group = list(group)
    stops = [_step(ActionKind.STOP, each, cause) for each in group if each.state.may_write]
    return (*stops, *(_step(ActionKind.REMOVE, each, cause) for each in group))


def _volume_step(spec: ContainerSpec, observed: Observed, why: Cause) -> list[Action]:
    if any(volume.name == spec.volume for volume in observed.volumes):
        return []
    return [Action(ActionKind.CREATE_VOLUME, spec.client_id, spec.volume, why, spec)]


def _is_wanted(found: ObservedContainer, spec: ContainerSpec, observed: Observed) -> bool:
    """It is what the spec asks for, and can run: as it is, or after a mere start."""
    if (found.name, found.volume, found.spec_hash) != (spec.name, spec.volume, _hash(spec)):
        return False
    if found.detached or found.state in (ContainerState.REMOVING, ContainerState.DEAD):
        return False
    if found.state is ContainerState.CREATED:
        if spec.secrets:  # whoever made it may have died before they were on the volume
            return False
        return found.network_id is None or not _network_is_new(found, observed)
    return found.state is ContainerState.RUNNING or not _network_is_new(found, observed)


def _can_start(found: ObservedContainer, observed: Observed) -> bool:
    """As it is. A container that was only created may lack its secrets: `up` knows, a restart doesn't."""
    if found.detached:
        return False
    if found.state is ContainerState.EXITED:
        return not _network_is_new(found, observed)
    return found.state.may_write


def _network_is_new(found: ObservedContainer, observed: Observed) -> bool:
    """A stopped container keeps its network's id; when that was made anew, the engine cannot start it."""
    if not observed.network_exists:
        return True
    known = found.network_id is not None and observed.network_id is not None
    return known and found.network_id != observed.network_id


def _hash(spec: ContainerSpec) -> str:
    return spec.labels[LABEL_SPEC_HASH]


def _cause(spec: ContainerSpec, found: Sequence[ObservedContainer], observed: Observed) -> Cause:
    """Why `spec`'s container is not simply running as it should."""
    named = next((each for each in found if each.name == spec.name), None)
    if named is None:
        known = any(volume.name == spec.volume for volume in observed.volumes)
        return Cause("no_container" if known else "new")
    if named.spec_hash != _hash(spec):
        return Cause("settings", changes=_changes(named.settings, readable_settings(spec)))
    if named.volume != spec.volume:
        return Cause("volume", {"old": named.volume or "-", "new": spec.volume})
    if named.detached:
        return Cause("network_lost")
    if named.state in _KEEP_THEIR_NETWORK and _network_is_new(named, observed):
        return Cause("network_new")
    values = {"code": "?" if named.exit_code is None else named.exit_code}
    return Cause(named.state.value, values)


def _changes(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[Change, ...]:
    """Empty when nothing readable differs, or when the container's own settings can't be read."""
    if not old:
        return ()
    keys = sorted(old.keys() | new.keys())
    return tuple(Change(key, old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key))


def _stranger(spec: ContainerSpec, observed: Observed) -> Note | None:
    """What is not ours stands in the way. Then nothing is done: what runs of this bot goes on running."""
    if spec.name in observed.foreign_names:
        return Note(spec.client_id, "name_taken", {"name": spec.name}, blocking=True)
    if spec.volume in observed.foreign_volumes - observed.half_made_volumes:
        return Note(spec.client_id, "foreign_volume", {"volume": spec.volume}, blocking=True)
    return _stranger_on_volume(spec.client_id, spec.volume, observed)


def _stranger_on_volume(client_id: str, volume: str, observed: Observed) -> Note | None:
    if volume not in observed.volume_users:
        return None
    values = {"volume": volume, "name": observed.volume_users[volume]}
    return Note(client_id, "volume_in_use", values, blocking=True)


def _other_bot(spec: ContainerSpec, observed: Observed) -> Note | None:
    """A container of another bot of ours stands in the way, which that bot's own lane may take away."""
    for each in observed.containers:
        if each.name == spec.name and each.client_id != spec.client_id:
            return Note(spec.client_id, "name_of_other", {"name": each.name, "other": each.client_id}, True)
    return _other_bot_on_volume(spec.client_id, spec.volume, observed)


def _other_bot_on_volume(client_id: str, volume: str, observed: Observed) -> Note | None:
    for each in observed.containers:
        if each.volume == volume and each.client_id != client_id and each.state.may_write:
            values = {"volume": volume, "name": each.name, "other": each.client_id}
            return Note(client_id, "volume_of_other", values, blocking=True)
    return None


def _without_start(lane: Lane) -> Lane:
    """Only what clears wrong containers away: two bots may each hold what the other needs."""
    removed = {action.target for action in lane if action.kind is ActionKind.REMOVE}
    return tuple(action for action in lane if action.target in removed)


def _neighbours(lanes: Iterable[Lane], observed: Observed) -> list[Note]:
    """Bots that are new here and run in another project: its fleet may be this one, under an earlier `project:`."""
    new = {lane[0].client_id for lane in lanes if leading_cause(lane).key == "new"}
    return [
        Note(None, "neighbours", {"clients": ", ".join(sorted(clients & new)), "project": project})
        for project, clients in sorted(observed.neighbours.items())
        if clients & new
    ]


def _leftover_volumes(observed: Observed, known: Iterable[str]) -> list[Note]:
    """Sessions whose bot stands in bots.yaml no more and whose container is gone already."""
    left = sorted(
        volume.client_id or "-" for volume in observed.volumes if volume.client_id not in set(known)
    )
    return [Note(None, "leftover_volumes", {"clients": ", ".join(left), "count": len(left)})] if left else []
