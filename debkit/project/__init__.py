"""A project as debkit finds it, with nothing but its packaging, and the files that it then needs. Owns their templates."""

from debkit.project.action import Action, own, parsed
from debkit.project.advice import doubts, steps
from debkit.project.draft import Draft, draft
from debkit.project.facts import Facts, chosen, look
from debkit.project.write import write

__all__ = ["Action", "Draft", "Facts", "chosen", "doubts", "draft", "look", "own", "parsed", "steps", "write"]
