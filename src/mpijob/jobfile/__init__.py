"""Job files: what a person wrote, as plain JSON that knows its lines and columns."""

from mpijob.jobfile.complaint import Complaint, Invalid
from mpijob.jobfile.file import JobFile, parse, read
from mpijob.jobfile.inspection import errors, inspected

__all__ = ["Complaint", "Invalid", "JobFile", "errors", "inspected", "parse", "read"]
