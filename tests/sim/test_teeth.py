"""The simulator catches what it is there to catch: mistakes made on purpose, one a test.

A mistake is a way to decide, to perform or to remember, or a part of the core put out of order.
`python tests/sim/test_teeth.py` says in how many of 200 seeds each is caught, and in which first.
"""

import sys

import pytest
from msgspec.structs import replace

from mpijob.api import children
from mpijob.cluster.merge import merge_patch
from mpijob.core import converge, names, reconcile, report
from mpijob.core.job import CleanPodPolicy, MPIJob
from mpijob.core.observed import PodPhase
from mpijob.core.plan import (
    Announce,
    Confirm,
    Create,
    Delete,
    Kind,
    Patch,
    Plan,
    WriteStatus,
)
from mpijob.core.policy import deadline, gang, retry
from mpijob.core.status import ConditionType, JobStatus
from mpijob.core.transport import ssh
from mpijob.engine import perform as engine
from mpijob.engine.cache import Cache
from mpijob.ports import ChangeType, Conflict, NotFound, Unreachable
from mpijob.sim.history import failure_of, script
from mpijob.sim.operator import Practice

SEEDS_MAX = 1000


def stepped(change):
    """A decision whose plan is changed: `change(plan, observed, now)`."""

    def decide(observed, now, config):
        return change(reconcile.reconcile(observed, now, config), observed, now)

    return Practice(decide=decide)


def with_steps(plan, change):
    """The plan with every step changed; a step that becomes None goes."""
    stages = (tuple(filter(None, map(change, stage))) for stage in plan.stages)
    return replace(plan, stages=tuple(filter(None, stages)))


# In how the operator decides.


def status_last(_):
    """Clean up before the end is on record."""

    def change(plan, observed, now):
        told = [s for s in plan.stages if isinstance(s[0], WriteStatus | Announce)]
        acts = [s for s in plan.stages if not isinstance(s[0], WriteStatus | Announce)]
        return replace(plan, stages=(*acts, *told))

    return stepped(change)


def time_stamped(_):
    """Stamp the status on every look."""

    def change(plan, observed, now):
        if not isinstance(observed.job, MPIJob) or observed.job.status.finished:
            return plan
        status = replace(observed.job.status, started_at=now)
        write = WriteStatus(observed.job.identity.version, status)
        return replace(plan, stages=((write,), *plan.stages))

    return stepped(change)


def remembers(_):
    """Trust a memory of what was made over what is seen."""
    made = set()

    def change(plan, observed, now):
        def once(step):
            if not isinstance(step, Create) or step.ref.kind is not Kind.POD:
                return step
            if step.ref in made:
                return None
            made.add(step.ref)
            return step

        return with_steps(plan, once)

    return stepped(change)


def random_names(_):
    """Name each launcher anew, as generateName would."""
    serial = iter(range(10**9))

    def change(plan, observed, now):
        def renamed(step):
            if not isinstance(step, Create) or step.ref.kind is not Kind.JOB:
                return step
            name = f"{step.ref.name}-{next(serial)}"
            metadata = {**step.manifest["metadata"], "name": name}
            ref = replace(step.ref, name=name)
            return Create(ref, {**step.manifest, "metadata": metadata})

        return with_steps(plan, renamed)

    return stepped(change)


def counts_instead_of_names(_):
    """Make only as many workers as are short, with the numbers that follow."""

    def change(plan, observed, now):
        seen = len(observed.workers)
        short = [observed.job.worker_count - seen if isinstance(observed.job, MPIJob) else 0]

        def counted(step):
            if not isinstance(step, Create) or step.ref.kind is not Kind.POD:
                return step
            if short[0] <= 0:
                return None
            short[0] -= 1
            name = names.worker(observed.job.name, seen + short[0])
            metadata = {**step.manifest["metadata"], "name": name}
            return Create(replace(step.ref, name=name), {**step.manifest, "metadata": metadata})

        return with_steps(plan, counted)

    return stepped(change)


def no_fence(_):
    """Write the status over whatever is there."""
    return stepped(
        lambda plan, *_: with_steps(
            plan, lambda s: replace(s, version="") if isinstance(s, WriteStatus) else s
        )
    )


def no_confirmation(_):
    """Act on a stale job without asking the server first."""
    return stepped(
        lambda plan, *_: with_steps(plan, lambda s: None if isinstance(s, Confirm) else s)
    )


def no_version(_):
    """Patch children whatever they have become."""
    return stepped(
        lambda plan, *_: with_steps(
            plan, lambda s: replace(s, version="") if isinstance(s, Patch) else s
        )
    )


def no_uid(_):
    """Delete whatever bears the name now."""
    return stepped(
        lambda plan, *_: with_steps(
            plan, lambda s: replace(s, uid="") if isinstance(s, Delete) else s
        )
    )


def sleeps_in(_):
    """Wait for news where only time brings on what is to be done."""
    return stepped(lambda plan, *_: replace(plan, wake_at=None))


def suspends_late(_):
    """Take the workers from under a launcher that still runs, and never hold it."""
    return stepped(
        lambda plan, *_: with_steps(
            plan,
            lambda s: (
                None
                if isinstance(s, Patch) and s.fields.get("spec", {}).get("suspend") is True
                else s
            ),
        )
    )


# In a part of the core. Those with a number are mpi-operator's defects.


def patient_only_at_first(patch):
    """#3: a resumed job's launcher starts at once."""
    real = reconcile.launcher_may_start

    def may(job, observed, status):
        return observed.launcher is not None or real(job, observed, status)

    patch.setattr(reconcile, "launcher_may_start", may)


def starts_blind(patch):
    """#2: the launcher starts before its workers answer."""
    patch.setattr(ssh, "_waits", lambda job: False)


def gang_of_all(patch):
    """#4: a gang waits for a launcher that waits for the gang."""
    patch.setattr(gang, "min_member", lambda job: job.worker_count + 1)


def starts_resumed_as_it_stands(patch):
    """#5: a Job that ran before is resumed with its start time."""
    real = converge.launcher

    def launcher(job, observed, setup, settings):
        seen = observed.launcher
        if seen is not None:
            observed = replace(observed, launcher=replace(seen, started_at=None))
        return real(job, observed, setup, settings)

    patch.setattr(converge, "launcher", launcher)


def one_worker_too_many_goes(patch):
    """#7: the number in the label is compared with the count."""
    real = converge.surplus_workers

    def surplus(job, observed):
        yield from real(job, observed)
        for pod in observed.workers:
            if pod.index is not None and pod.index >= job.worker_count and not pod.deleting:
                yield converge._delete(job, Kind.POD, pod)

    patch.setattr(converge, "surplus_workers", surplus)


def the_dead_stay(patch):
    """#8: a failed worker is never replaced."""
    patch.setattr(retry, "dead_workers", lambda job, observed: ())


def fails_without_an_end(patch):
    """#9: a job that fails has no completionTime and is not cleaned up."""
    real = report._failed

    def failed(job, status, why, now, at):
        return replace(real(job, status, why, now, at), completed_at=None)

    patch.setattr(report, "_failed", failed)


def fails_and_succeeds(patch):
    """#10: the launcher of a job that has failed runs on, and the job succeeds as well."""
    real = report.next_status

    def next_status(observed, now):
        launcher, status = observed.launcher, observed.job.status
        if launcher is None or launcher.end is None or not status.is_true(ConditionType.FAILED):
            return real(observed, now)
        if not launcher.end.succeeded:
            return status
        return report._set(status, ConditionType.SUCCEEDED, "MPIJobSucceeded", "", now)

    patch.setattr(reconcile, "next_status", next_status)
    patch.setattr(converge, "stopped_launcher", lambda job, observed: ())


def a_typo_disables(patch):
    """#11: any other manager's name, misspelt or not, means hands off."""

    def elsewhere(job):
        named = job.run_policy.managed_by if isinstance(job, MPIJob) else job.managed_by
        return named not in (None, "kubeflow.org/mpi-operator")

    patch.setattr(reconcile, "managed_elsewhere", elsewhere)


def only_the_launcher_expires(patch):
    """#16: the time to live removes the launcher's Job and nothing else."""

    def everything(job, observed):
        return converge._deletions(job, Kind.JOB, (observed.launcher,))

    patch.setattr(converge, "everything", everything)


def leftovers_are_forgotten(patch):
    """#17: the workers beyond those wanted are not cleaned up with a finished job."""
    real = converge.cleaned_workers

    def cleaned(job, observed):
        return real(job, replace(observed, workers=retry.wanted_workers(job, observed)))

    patch.setattr(converge, "cleaned_workers", cleaned)


def the_deadline_waits(patch):
    """#18: the deadline counts from the launcher's start."""
    real = deadline.expires_at

    def expires_at(status, deadline_s, launcher):
        return real(status, deadline_s, launcher) if launcher and launcher.started_at else None

    patch.setattr(deadline, "expires_at", expires_at)


def nobody_is_in_the_way(patch):
    """#22: that a name is taken is told nowhere."""
    patch.setattr(report, "stranger", lambda job, observed: None)


def strangers_are_ours(patch):
    """A stranger's object is taken for our own."""
    patch.setattr(report, "stranger", lambda job, observed: None)
    patch.setattr(
        converge,
        "service",
        lambda job, observed: (
            ()
            if observed.service is None
            else (converge._delete(job, Kind.SERVICE, observed.service),)
        ),
    )


def suspension_keeps_workers(patch):
    """A suspended job keeps the workers that its clean-up policy would."""
    patch.setattr(converge, "all_workers", converge.cleaned_workers)


def gangs_outlive_suspension(patch):
    """A suspended or finished job keeps its PodGroup."""
    patch.setattr(converge, "pod_group_gone", lambda job, observed: ())


def restarts_for_ever(patch):
    """Nobody counts how often a job has started anew."""
    patch.setattr(retry, "backoff_limit", lambda job: 10**9)


def replaces_under_the_launcher(patch):
    """A dead worker is replaced while the launcher runs on."""

    def restart(job, observed, now, config):
        setup = reconcile._setup(job, observed, config)
        return reconcile._stages(
            converge.fallen_workers(job, observed, now),
            converge.missing_workers(job, observed, setup, config),
        )

    patch.setattr(reconcile, "_restart", restart)


def cleans_all(patch):
    """Whatever the policy, every worker of a finished job stays."""
    patch.setattr(converge, "goes", lambda policy, pod: False)


def cleans_the_running_alone(patch):
    """Of a policy of All, the running workers go."""
    patch.setattr(
        converge,
        "goes",
        lambda policy, pod: policy is not CleanPodPolicy.NONE and pod.phase is PodPhase.RUNNING,
    )


def an_end_is_open(patch):
    """A finished job is reported on like any other."""
    real = report.next_status

    def next_status(observed, now):
        job = observed.job
        if isinstance(job, MPIJob) and job.status.finished:
            status = job.status
            for end in (ConditionType.SUCCEEDED, ConditionType.FAILED):
                status = status.without_condition(end)
            observed = replace(observed, job=replace(job, status=status))
        return real(observed, now)

    patch.setattr(reconcile, "next_status", next_status)


def works_for_others(patch):
    """A job that names another controller is worked on."""
    patch.setattr(reconcile, "managed_elsewhere", lambda job: False)


def invalid_for_good(patch):
    """A job that was repaired still says that it is invalid."""
    real = report.next_status

    def next_status(observed, now):
        status = real(observed, now)
        old = observed.job.status.condition(ConditionType.INVALID)
        return status if old is None else status.with_condition(old)

    patch.setattr(reconcile, "next_status", next_status)


def no_host_keys(patch):
    """The Secret of the hosts' keys is never made."""
    real = converge.secrets

    def secrets(job, observed, setup):
        return (s for s in real(job, observed, setup) if s.ref.name != names.host_keys(job.name))

    patch.setattr(converge, "secrets", secrets)


def only_the_dead_are_missed(patch):
    """A worker that somebody deleted is replaced under a launcher that runs."""

    def losses(job, observed):
        return tuple(map(retry.cause, retry.dead_workers(job, observed)))

    patch.setattr(retry, "losses", losses)


def the_job_expires_first(patch):
    """The launcher's Job goes by a time to live of its own, seen or not."""
    from mpijob.core import build

    real = build.launcher

    def launcher(job, config, setup, *, suspended):
        made = real(job, config, setup, suspended=suspended)
        ttl = (
            {}
            if job.run_policy.ttl_s is None
            else {"ttlSecondsAfterFinished": job.run_policy.ttl_s}
        )
        return {**made, "spec": {**made["spec"], **ttl}}

    patch.setattr(build, "launcher", launcher)


# In how the operator performs and remembers.


def performing(perform):
    return Practice(perform=perform)


def goes_on_after_no(_):
    """Take the steps that follow one that failed."""

    async def perform(plan, job, hands, now):
        for step in plan.steps:
            try:
                await engine.perform(Plan(((step,),)), job, hands, now)
            except (Conflict, NotFound, Unreachable):
                continue

    return performing(perform)


def a_taken_name_is_a_failure(_):
    """#15: a stale cache makes a healthy job's worker a failure."""

    async def perform(plan, job, hands, now):
        try:
            await engine.perform(plan, job, hands, now)
        except Conflict:
            told = Announce("MPIJobFailed", "worker pod created failed", warning=True)
            await engine.perform(Plan(((told,),)), job, hands, now)
            raise

    return performing(perform)


def learns_before_it_is_so(_):
    """#14: the cached object is changed before the server has taken the change."""

    async def perform(plan, job, hands, now):
        cache, world = hands.learn.__self__, hands.objects._world
        for step in plan.steps:
            found = world.store.get(step.ref) if isinstance(step, Patch) else None
            if found is not None:
                changed = merge_patch(found, step.fields)
                cache._file(step.ref.kind, children.seen(step.ref.kind, changed))
            await engine.perform(Plan(((step,),)), job, hands, now)

    return performing(perform)


class Ghosts(Cache):
    """Remembers pods for ever."""

    def apply(self, kind, change):
        if kind is Kind.POD and change.type is ChangeType.DELETED:
            return None
        return super().apply(kind, change)


class FirstComers(Cache):
    """Keeps the first object that it saw under a name."""

    def _file(self, kind, seen):
        old = self._seen[kind].get(seen.key)
        if kind is not Kind.POD or old is None or old.view.uid == seen.view.uid:
            super()._file(kind, seen)


def remembers_the_gone(_):
    """Miss that pods go."""
    return Practice(cache=Ghosts)


#: The mistakes, each with a seed in which it is caught. Where what is drawn changes, that seed may
#: tell another history: then the search for one takes longer, and this file tells the new ones.
def never_asks_again(patch):
    """Remember for ever what once stood under a name: no watch tells when it goes."""
    patch.setattr(Cache, "met", lambda self, job: ())


def times_go_back(patch):
    """Believe one's own clock, whatever time was told before."""
    patch.setattr(JobStatus, "told_at", None)


def lists_tell_no_deletion(patch):
    """Take what was missed to be there still: only a later version says that something went."""
    real = Cache._take

    def take(self, kind, seen, *, gone):
        known = self._seen[kind].get(seen.key)
        if not gone or known is None or seen.tells_news(known):
            real(self, kind, seen, gone=gone)

    patch.setattr(Cache, "_take", take)


def rights_stay_as_they_were(patch):
    """Let a launcher that starts ranks by exec do so in the workers that it first had."""
    real = converge.rights

    def rights(job, observed, setup):
        return (step for step in real(job, observed, setup) if isinstance(step, Create))

    patch.setattr(converge, "rights", rights)


def rights_are_not_given(patch):
    """Say what a launcher may do, and give it to nobody."""
    real = converge.rights

    def rights(job, observed, setup):
        return (
            step for step in real(job, observed, setup) if step.ref.kind is not Kind.ROLE_BINDING
        )

    patch.setattr(converge, "rights", rights)


def rights_are_left_behind(patch):
    """Let a job's time to live end without its launcher's rights."""
    real = converge.everything
    rights = (Kind.SERVICE_ACCOUNT, Kind.ROLE, Kind.ROLE_BINDING)

    def everything(job, observed):
        return (step for step in real(job, observed) if step.ref.kind not in rights)

    patch.setattr(converge, "everything", everything)


def ends_in_the_second_of_its_creation(patch):
    """The end of a v1 job is told as soon as it is seen."""
    patch.setattr(report, "end_held_until", lambda job: None)


def trouble_is_the_newest(patch):
    """Of a v1 job a condition that Flyte does not know is told as the newest."""
    patch.setattr(report, "_with_trouble", lambda status, ways, row: status.with_condition(row))


MISTAKES = {
    status_last: 5,
    time_stamped: 0,
    remembers: 0,
    random_names: 0,
    counts_instead_of_names: 4,
    no_fence: 0,
    no_confirmation: 40,
    no_version: 0,
    no_uid: 0,
    sleeps_in: 2,
    suspends_late: 68,
    patient_only_at_first: 4,
    starts_blind: 0,
    gang_of_all: 0,
    starts_resumed_as_it_stands: 732,
    one_worker_too_many_goes: 0,
    the_dead_stay: 68,
    fails_without_an_end: 0,
    fails_and_succeeds: 60,
    a_typo_disables: 148,
    only_the_launcher_expires: 2,
    leftovers_are_forgotten: 245,
    the_deadline_waits: 201,
    nobody_is_in_the_way: 0,
    strangers_are_ours: 0,
    suspension_keeps_workers: 16,
    gangs_outlive_suspension: 0,
    restarts_for_ever: 5,
    replaces_under_the_launcher: 68,
    cleans_all: 0,
    cleans_the_running_alone: 551,
    an_end_is_open: 0,
    works_for_others: 48,
    invalid_for_good: 8,
    no_host_keys: 5,
    only_the_dead_are_missed: 113,
    the_job_expires_first: 259,
    goes_on_after_no: 11,
    a_taken_name_is_a_failure: 11,
    learns_before_it_is_so: 60,
    remembers_the_gone: 0,
    never_asks_again: 1,
    times_go_back: 39,
    lists_tell_no_deletion: 132,
    rights_stay_as_they_were: 79,
    rights_are_not_given: 63,
    rights_are_left_behind: 55,
    ends_in_the_second_of_its_creation: 0,
    trouble_is_the_newest: 91,
}


def planted(mistake, patch):
    """The practice with that mistake in it."""
    return mistake(patch) or Practice()


def failure_with(mistake, seed):
    """What breaks in the history of a seed with that mistake, "" where nothing does."""
    with pytest.MonkeyPatch.context() as patch:
        return failure_of(script(seed), planted(mistake, patch))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mistake", "known"), MISTAKES.items(), ids=[mistake.__name__ for mistake in MISTAKES]
)
def test_a_mistake_is_caught(mistake, known):
    # Where the known seed tells another history by now, up to a thousand are played.
    assert any(failure_with(mistake, seed) for seed in (known, *range(SEEDS_MAX)))


def test_without_a_mistake_the_known_seeds_break_nothing():
    assert {seed: failure_of(script(seed)) for seed in set(MISTAKES.values())} == dict.fromkeys(
        set(MISTAKES.values()), ""
    )


def measured(mistake):
    """In how many of 200 seeds a mistake is caught, the first seed, and what it breaks."""
    found = {seed: told for seed in range(200) if (told := failure_with(mistake, seed))}
    beyond = (seed for seed in range(200, SEEDS_MAX) if failure_with(mistake, seed))
    first = min(found, default=None) if found else next(beyond, None)
    return len(found), first, failure_with(mistake, first) if first is not None else "NOT CAUGHT"


if __name__ == "__main__":
    import logging

    logging.disable()
    for mistake in MISTAKES:
        if mistake.__name__ in sys.argv[1:] or len(sys.argv) == 1:
            count, first, told = measured(mistake)
            sys.stdout.write(f"{mistake.__name__:30} {count:3} of 200, first {first}: {told:.80}\n")
            sys.stdout.flush()
