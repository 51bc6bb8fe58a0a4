"""One history: drawn whole from its seed, then played; first rough, then calm, until it rests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from enum import StrEnum
from random import Random
from typing import Any, assert_never

from msgspec import Struct
from msgspec.structs import replace

from mpijob.core.config import Config, Gang, Transport
from mpijob.core.job import Manifest
from mpijob.core.plan import Kind, Ref
from mpijob.core.version import Version
from mpijob.sim import rest, user
from mpijob.sim.audit import Broken
from mpijob.sim.nodes import STRIKES
from mpijob.sim.operator import KINDS, Operator, Practice
from mpijob.sim.weather import CALM, FAMILIES, Weather
from mpijob.sim.world import Setting, Tell, World

#: A calm world that still moves after so many seconds never rests.
CALM_TICKS_MAX = 300
#: So many moments at which somebody wants to look and then finds nothing to do are rest.
IDLE_WAKES_MAX = 3


class Move(StrEnum):
    """Who is next to move."""

    LOOK = "operator"
    NODES = "nodes"
    JOBS = "job controller"
    GARBAGE = "garbage collector"
    USER = "user"
    FAULT = "fault"


_MOVES = tuple(Move)
_WEIGHTS = (30, 20, 12, 6, 8, 24)
_PAUSES_S = (0, 0, 0, 1, 1, 2, 5)
#: How many calm ticks a history may begin with, so that faults find a job at any point of its life.
_HEAD_STARTS = (0, 2, 4, 7)
#: The faults that strike the world rather than an operator's requests.
_WORLD_FAULTS = (
    *("gap", "travel", "rivals", "conflict", "theft", "stranger", "leap"),
    *STRIKES,
    "skew",
)
#: By how much an operator's clock may be ahead of everybody else's, in seconds.
_SKEWS_S = (-90, -5, 0, 5, 90)
#: What brings kubectl to launchers that start ranks by exec, where one may.
_KUBECTL = "example/kubectl:1"
#: By how much a fault that has the turn is likelier than its odds.
_URGENCY = 6


class Turn(Struct, frozen=True):
    """One move: who, after which pause, and the seed of all that is drawn in it.

    Dice of its own let a history be made smaller without its other turns becoming others.
    """

    move: Move
    pause_s: int
    dice: int


class Script(Struct, frozen=True):
    """A history before it is played. `calm_dice` are those of its end."""

    seed: int
    setting: Setting
    first: Mapping[str, Any]
    head_start: int
    turns: tuple[Turn, ...]
    calm_dice: int


def script(seed: int) -> Script:
    """Return the history that `seed` names."""
    dice = Random(seed)
    setting = Setting(
        weather=Weather.drawn(dice, FAMILIES[:-1]),
        config=Config(
            gang=dice.choice((None, None, None, *Gang)),
            transport=dice.choice((Transport.SSH, Transport.SSH, Transport.RSH)),
        ),
        ends_well=dice.random() < 0.75,
        room=dice.choice((0, 1, 2)) if dice.random() < 0.08 else None,
    )
    first, head_start = user.job(dice), dice.choice(_HEAD_STARTS)
    count = dice.choice((30, 60, 90, 130))
    moves = dice.choices(_MOVES, _WEIGHTS, k=count)
    turns = tuple(Turn(move, dice.choice(_PAUSES_S), dice.getrandbits(32)) for move in moves)
    calm_dice = dice.getrandbits(32)
    # Drawn last, since it came last: what a seed tells stays what it was, for the most part.
    weather = setting.weather.joined(Weather.drawn(dice, FAMILIES[-1:]))
    older = dice.random() < 0.25
    version = dice.choice((Version.V2BETA1, Version.V1, Version.V1ALPHA2))
    if older:
        config = replace(setting.config, kubectl_delivery_image=_KUBECTL)
        setting = replace(setting, config=config, version=version)
    setting = replace(setting, weather=weather)
    first = _written(first, setting)
    return Script(seed, setting, first, head_start, turns, calm_dice)


def _written(manifest: Manifest, setting: Setting) -> dict[str, Any]:
    execs = bool(setting.config.kubectl_delivery_image)
    return user.written(manifest, setting.version, execs=execs)


def play(written: Script, practice: Practice | None = None, told: Tell | None = None) -> World:
    """Play a history and return the world in which it ends. Raises Broken."""
    world = World(written.setting, Random(written.calm_dice), practice, told)
    world.submit(written.first)
    for _ in range(written.head_start):
        tick(world)
    world.weather, world.is_calm = written.setting.weather, False
    if world.weather.rivals:
        _rival(world)
    for index, turn in enumerate(written.turns):
        if turn.pause_s:
            world.wait(turn.pause_s)
        world.sow(turn.dice)
        if told is not None:
            told("", f"turn {index} of {turn.move}, at {world.now:%H:%M:%S}")
        move(world, turn.move)
    world.sow(written.calm_dice)
    prepare_calm(world)
    was_over = rest.is_over(world)
    calm(world)
    rest.check(world)
    if not was_over:
        _check_path(world, practice)
    return world


def run(seed: int, practice: Practice | None = None, told: Tell | None = None) -> World:
    """Play the history of a seed and return its end. Raises Broken, which names the seed."""
    try:
        return play(script(seed), practice, told)
    except Broken as broken:
        raise Broken(f"seed {seed}: {broken}") from broken


def failures(seeds: Iterable[int], practice: Callable[[], Practice] = Practice) -> dict[int, str]:
    """Return what is broken in which of the histories of `seeds`.

    An exception that no property speaks of is a failure too: nothing that is drawn may raise one.
    """
    found = {}
    for seed in seeds:
        failure = failure_of(script(seed), practice())
        if failure:
            found[seed] = failure
    return found


def failure_of(written: Script, practice: Practice | None = None) -> str:
    """Return what is broken in a history, "" where nothing is."""
    try:
        play(written, practice).end()
    except Broken as broken:
        return str(broken)
    except Exception as error:  # noqa: BLE001
        return f"{type(error).__name__}: {error}"
    return ""


def trace_of(written: Script) -> list[str]:
    """Return a history as lines for a person: its setting, then who did what."""
    setting = written.setting
    weather = {fault: getattr(setting.weather, fault) for fault in setting.weather.faults()}
    lines = [
        f"weather: {', '.join(f'{fault} {odds}' for fault, odds in weather.items()) or 'calm'}",
        f"operator: transport {setting.config.transport}, gang {setting.config.gang or 'none'}",
        f"version: {setting.version}, kubectl {setting.config.kubectl_delivery_image or 'none'}",
        f"program: ends {'well' if setting.ends_well else 'badly'}"
        + ("" if setting.room is None else f"; room for {setting.room} pods"),
        f"job: {json.dumps(written.first['spec'])}",
    ]

    def tell(who: str, text: str) -> None:
        lines.append(f"{who:>10}  {text}")

    with suppress(Exception):
        play(written, told=tell)
    return lines


# The rough half.


def move(world: World, who: Move) -> None:
    """Let one of those who move do so."""
    match who:
        case Move.LOOK:
            world.dice.choice(world.operators).look()
        case Move.NODES:
            world.nodes.turn(0.7)
        case Move.JOBS:
            world.control_jobs()
        case Move.GARBAGE:
            world.collect_garbage(world.dice.choice((1, 3, None)))
        case Move.USER:
            _change_mind(world)
        case Move.FAULT:
            _strike(world)
        case _:
            assert_never(who)


def _change_mind(world: World) -> None:
    """Have the user edit the job, delete it, or make one anew under its name."""
    job = world.job
    if job is None:
        world.submit(_written(user.job(world.dice), world.setting))
    elif world.dice.random() < (0.6 if rest.is_over(world) else 0.08):
        world.remove(user.JOB)
    else:
        world.write(user.JOB, {"spec": user.edit(world.dice, job["spec"])})


def _strike(world: World) -> None:
    """Let one of the weather's faults strike, if it does."""
    weather = world.weather
    faults = [fault for fault in _WORLD_FAULTS if getattr(weather, fault)]
    if not faults:
        return
    fault = world.dice.choice(faults)
    if not world.strikes(_URGENCY * getattr(weather, fault)):
        return
    world.say("fault", fault)
    match fault:
        case "gap" | "travel" | "skew":
            _strike_operator(world.dice.choice(world.operators), fault, world.dice)
        case "rivals":
            _rival(world)
        case "conflict":
            _bump(world)
        case "theft":
            _steal(world)
        case "stranger":
            _stranger(world)
        case "leap":
            world.wait(world.dice.choice((60, 300, 3600)))
        case _:
            world.nodes.strike(fault)


def _strike_operator(operator: Operator, fault: str, dice: Random) -> None:
    """Make an operator miss something, begin anew, or have a clock of its own."""
    match fault:
        case "gap":
            operator.list_anew(dice.choice(KINDS))
        case "skew":
            operator.ahead_s = dice.choice(_SKEWS_S)
        case _:
            operator.begin()


def _rival(world: World) -> None:
    """Start a second operator, or stop one of the two."""
    if len(world.operators) == 1:
        world.operators.append(Operator(world, "rival"))
    else:
        world.operators.pop(world.dice.randrange(2))


def _bump(world: World) -> None:
    """Have somebody write to one of the objects, so that its version moves on."""
    refs = [user.JOB, *_children(world)]
    ref = world.dice.choice(refs)
    if world.store.get(ref) is not None:
        mark = str(world.store.version)
        world.write(ref, {"metadata": {"annotations": {"example.com/mark": mark}}}, "somebody")


def _steal(world: World) -> None:
    """Have somebody delete or spoil a child that can be made again."""
    kinds = (Kind.SERVICE, Kind.CONFIG_MAP, Kind.SECRET, Kind.POD_GROUP)
    refs = [ref for ref in _children(world) if ref.kind in kinds]
    if not refs:
        return
    ref = world.dice.choice(refs)
    if ref.kind is Kind.SERVICE and world.dice.random() < 0.5:
        world.write(ref, {"spec": {"selector": {"app": "other"}}}, "somebody")
    elif ref.kind is Kind.CONFIG_MAP and world.dice.random() < 0.5:
        world.write(ref, {"data": {"hostfile": "spoilt"}}, "somebody")
    else:
        world.remove(ref, "somebody")


def _children(world: World) -> list[Ref]:
    job = world.job
    uid = job["metadata"]["uid"] if job is not None else ""
    return rest.owned(world.store, uid)


def _stranger(world: World) -> None:
    """Have somebody take one of the names that the job needs, or give it back."""
    strangers = rest.strangers(world.store)
    if strangers:
        world.remove(strangers[0], "stranger")
        return
    thing = world.dice.choice(user.STRANGERS)
    ref = Ref(Kind(thing["kind"]), user.NAMESPACE, thing["metadata"]["name"])
    if world.store.get(ref) is None:
        world.submit(thing)


# The calm half.


def prepare_calm(world: World) -> None:
    """Let faults cease; let people set right, half of the time, what keeps the job waiting."""
    world.say("", "it becomes calm")
    world.weather, world.is_calm = CALM, True
    del world.operators[1:]
    for operator in world.operators:
        operator.ahead_s = 0
    if world.dice.random() < 0.5:
        for ref in rest.strangers(world.store):
            world.remove(ref, "stranger")
    job = world.job
    if job is not None and world.dice.random() < 0.6:
        for broken, repair in user.UNSOUND:
            if user.is_within(job["spec"], broken):
                world.write(user.JOB, {"spec": repair})
        if job["spec"]["runPolicy"].get("suspend"):
            world.write(user.JOB, {"spec": {"runPolicy": {"suspend": False}}})


def calm(world: World) -> None:
    """Let the world come to rest. Raises Broken where it does not."""
    [operator] = world.operators
    idle_wakes = 0
    for _ in range(CALM_TICKS_MAX):
        before = world.store.version
        tick(world)
        if world.store.version != before or operator.failed:
            idle_wakes = 0
            continue
        wakes_at = world.wakes_at
        if wakes_at is None or idle_wakes == IDLE_WAKES_MAX:
            return
        idle_wakes += 1
        world.now = max(world.now, wakes_at)
    raise Broken(f"it does not come to rest: {rest.summary(world)}")


def tick(world: World) -> None:
    """Let a second pass in which everybody does what there is to do."""
    world.wait(1)
    world.control_jobs()
    world.nodes.turn(1)
    world.collect_garbage()
    operator = world.operators[0]
    if operator.is_due:
        operator.look()


def _check_path(world: World, practice: Practice | None) -> None:
    """Raise Broken where a job that never had bad luck rests elsewhere than this one."""
    job = world.job
    if job is None or not rest.is_comparable(world):
        return
    metadata = {
        name: job["metadata"][name]
        for name in ("namespace", "name", "annotations")
        if name in job["metadata"]
    }
    fresh = World(replace(world.setting, weather=CALM), Random(0), practice)
    fresh.submit({**job, "metadata": metadata})
    calm(fresh)
    rest.check(fresh)
    have, want = rest.picture(world), rest.picture(fresh)
    is_comparable = rest.is_comparable(fresh)
    fresh.end()
    if have != want and is_comparable:
        differ = [
            f"{key}: {have.get(key)} is not {want.get(key)}"
            for key in {**have, **want}
            if have.get(key) != want.get(key)
        ]
        raise Broken(f"it rests elsewhere than a job without its past: {'; '.join(differ)}")
