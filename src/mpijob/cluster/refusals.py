"""What a server answers where it does not do what it was asked, in Kubernetes' words."""

from mpijob.core.job import Problem


class Refused(Exception):
    """The server did not do it. `reason` and `code` are those of Kubernetes' Status object."""

    reason = "InternalError"
    code = 500

    @property
    def message(self) -> str:
        """The sentence that a client is shown."""
        return str(self)


class BadRequest(Refused):
    """The request makes no sense, whatever is stored."""

    reason = "BadRequest"
    code = 400


class Forbidden(Refused):
    """The request is understood and not allowed."""

    reason = "Forbidden"
    code = 403


class NotFound(Refused):
    """There is no such object, or no such kind of object."""

    reason = "NotFound"
    code = 404


class AlreadyExists(Refused):
    """The name is taken."""

    reason = "AlreadyExists"
    code = 409


class Conflict(Refused):
    """The object is no longer as the request took it to be."""

    reason = "Conflict"
    code = 409


class Gone(Refused):
    """That part of the history is no longer kept: list again, and watch from there."""

    reason = "Expired"
    code = 410


class Invalid(Refused):
    """The object breaks rules: all that it breaks are in `problems`."""

    reason = "Invalid"
    code = 422

    def __init__(self, kind: str, name: str, problems: tuple[Problem, ...]) -> None:
        texts = list(dict.fromkeys(str(problem) for problem in problems))
        told = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
        super().__init__(f'{kind} "{name}" is invalid: {told}')
        self.problems = problems
