"""What one may do with jobs from Python, on this machine; these need no MPI."""

import asyncio
import inspect

import pytest
import yaml

from mpijob.sdk import AsyncClient, Client, JobError, JobFailed, NewJob, NoSuchJob
from mpijob.sdk.waiting import sync_face, waited


def job(script="true", name="pi", **spec):
    """Return a job whose launcher runs a shell script, without workers."""
    container = {"name": "launcher", "command": ["sh", "-c", script]}
    launcher = {"restartPolicy": "Never", "template": {"spec": {"containers": [container]}}}
    policy = {"backoffLimit": 0, **spec.pop("runPolicy", {})}
    return {
        "apiVersion": "kubeflow.org/v2beta1",
        "kind": "MPIJob",
        "metadata": {"name": name},
        "spec": {"runPolicy": policy, "mpiReplicaSpecs": {"Launcher": launcher}, **spec},
    }


@pytest.fixture
def client(home, monkeypatch):
    """Return a client for jobs of a home that nobody has used."""
    monkeypatch.setenv("MPIJOB_LOCAL_PODS", "plain")
    return Client()


def test_a_job_that_is_run_returns_how_it_ended(client):
    assert client.run(job()).state == "Succeeded"


def test_a_job_s_output_is_passed_on_while_it_runs(client, capfdbinary):
    client.run(job("echo from the launcher"))
    assert capfdbinary.readouterr().out == b"from the launcher\n"


def test_a_job_that_fails_says_why(client):
    with pytest.raises(JobFailed, match=r"(?s)job pi failed \(.*exit.* 7"):
        client.run(job("exit 7"))


def test_a_job_file_is_run(client, tmp_path):
    path = tmp_path / "pi.yaml"
    path.write_text(yaml.safe_dump(job(name="of-a-file")))
    assert client.run(path).name == "of-a-file"


@pytest.mark.mpi
def test_a_command_is_run_as_a_job(client, capfdbinary):
    client.run(NewJob(name="hello", command=("echo", "hello"), worker_count=2))
    assert capfdbinary.readouterr().out == b"hello\nhello\n"


def test_what_hinders_a_job_is_told(client, monkeypatch):
    made = job("true")
    container = made["spec"]["mpiReplicaSpecs"]["Launcher"]["template"]["spec"]["containers"][0]
    container["envFrom"] = [{"configMapRef": {"name": "absent"}}]

    async def whole():
        told = asyncio.get_running_loop().create_future()
        monkeypatch.setattr("mpijob.sdk.client.note", told.set_result)
        running = asyncio.create_task(AsyncClient().run(made))
        first = await told
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        return first

    assert 'configmap "absent" not found' in asyncio.run(whole())


def test_a_job_file_s_programs_start_in_its_folder(client, tmp_path, capfdbinary):
    path = tmp_path / "pi.yaml"
    path.write_text(yaml.safe_dump(job("pwd")))
    client.run(path)
    assert capfdbinary.readouterr().out.decode() == f"{tmp_path}\n"


def test_a_client_s_namespace_holds_its_jobs(home):
    mine = Client(namespace="mine")
    mine.run(job())
    assert [(state.namespace, state.name) for state in mine.list()] == [("mine", "pi")]


def test_a_client_of_another_namespace_sees_none_of_them(home):
    Client(namespace="mine").run(job())
    assert Client().list() == []


def test_a_bad_job_file_is_told_with_its_place(client, tmp_path):
    path = tmp_path / "pi.yaml"
    path.write_text("kind: Pod\n")
    with pytest.raises(JobError, match=r"pi\.yaml"):
        client.run(path)


def test_a_refused_job_says_why(client):
    with pytest.raises(JobFailed, match="the job cannot be made"):
        client.run(job(name="Not A Name"))


def test_a_submitted_job_runs_by_itself(client):
    name = client.submit(job("echo once; echo twice")).name
    client.wait(name)
    assert "".join(client.logs(name)) == "once\ntwice\n"


def test_logs_are_followed_to_the_job_s_end(client):
    name = client.submit(job("echo once; echo twice")).name
    assert "".join(client.logs(name, follow=True)) == "once\ntwice\n"


def test_logs_that_nobody_reads_on_are_left(client):
    name = client.submit(job("echo once; exec sleep 1000")).name
    logs = client.logs(name, follow=True)
    first = next(logs)
    logs.close()
    client.delete(name)
    assert first == "once\n"


def test_a_wait_says_how_the_job_ended(client):
    name = client.submit(job("exit 3")).name
    state = client.wait(name)
    assert (state.state, state.succeeded, state.is_over) == ("Failed", False, True)


def test_a_wait_may_be_limited(client):
    name = client.submit(job("exec sleep 1000")).name
    with pytest.raises(TimeoutError):
        client.wait(name, timeout_s=0.1)
    client.delete(name)


def test_events_tell_what_happened(client):
    client.run(job())
    reasons = {event.reason for event in client.events("pi")}
    assert {"MPIJobCreated", "MPIJobSucceeded"} <= reasons


def test_a_list_has_every_job_by_its_name(client):
    for name in ("b", "a"):
        client.run(job(name=name))
    assert [state.name for state in client.list()] == ["a", "b"]


def test_a_deleted_job_is_gone(client):
    client.run(job())
    client.delete("pi")
    assert client.list() == []


def test_a_job_that_is_gone_may_be_deleted(client):
    client.delete("pi")
    assert client.list() == []


ABSENT = {
    "wait": lambda client: client.wait("pi"),
    "logs": lambda client: list(client.logs("pi")),
    "events": lambda client: client.events("pi"),
    "result": lambda client: client.result("pi"),
}


@pytest.mark.parametrize("ask", ABSENT.values(), ids=ABSENT)
def test_a_job_that_is_not_there_is_named(client, ask):
    with pytest.raises(NoSuchJob, match="no job “pi” in namespace default"):
        ask(client)


def test_a_job_that_calls_no_function_has_no_result(client):
    client.run(job())
    with pytest.raises(JobFailed, match="calls no function"):
        client.result("pi")


def test_a_state_is_a_line():
    from mpijob.sdk.state import state_of

    made = job()
    made["metadata"] |= {"namespace": "default"}
    assert str(state_of(made)) == "pi: Pending, 0/0 workers ready"


def test_the_clients_have_the_same_methods_with_the_same_signatures():
    methods = [name for name in vars(AsyncClient) if not name.startswith("_")]
    assert {name: str(inspect.signature(getattr(Client, name))) for name in methods} == {
        name: str(inspect.signature(getattr(AsyncClient, name))) for name in methods
    }


def test_no_method_of_the_plain_client_is_awaited():
    methods = [getattr(Client, name) for name in vars(AsyncClient) if not name.startswith("_")]
    waits = (inspect.iscoroutinefunction, inspect.isasyncgenfunction)
    assert [method for method in methods if any(one(method) for one in waits)] == []


class AsyncCounter:
    """Counts."""

    async def count(self, start, *, by=1):
        """Return the next number."""
        return start + by

    async def numbers(self, end):
        """Yield numbers, and then fail."""
        for number in range(end):
            yield number
        raise LookupError(end)


Counter = sync_face(AsyncCounter)


def test_a_plain_generator_yields_and_raises_what_the_other_does():
    seen = []
    with pytest.raises(LookupError, match="3"):
        seen.extend(Counter().numbers(3))
    assert seen == [0, 1, 2]


def test_a_plain_generator_may_be_left():
    numbers = Counter().numbers(3)
    first = next(numbers)
    numbers.close()
    assert (first, list(numbers)) == (0, [])


def test_a_plain_method_may_be_called_where_a_loop_runs():
    async def whole():
        return Counter().count(1, by=2)

    assert asyncio.run(whole()) == 3


def test_what_is_raised_where_a_loop_runs_is_raised_in_the_caller():
    async def fail():
        raise LookupError

    async def whole():
        with pytest.raises(LookupError):
            waited(fail)

    asyncio.run(whole())
