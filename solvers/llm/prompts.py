"""The words added to a task's own prompt. A change of any of them needs a new `VERSION`: it may move
scores.
"""

VERSION = "1"

ANSWER_FENCE = (
    "Put the final answer, in the format asked for above, in a fenced block that opens with ```answer "
    "and closes with ```."
)

DIRECT = f"Reply with the final answer and nothing else: no explanation, no working. {ANSWER_FENCE}"

THINK = f"Think step by step before you answer. {ANSWER_FENCE} Write that block once, at the very end."

COMPLAINT = "That answer breaks the rules of the puzzle:\n{complaints}\nFind the mistake and try again."

NO_ANSWER = "No answer could be read from your reply: {reason}. Give it again, in the format asked for."

PROGRAM = (
    "Do not solve the puzzle by hand. Write one Python 3 program that solves it and prints the final "
    "answer, in the format asked "
    "for above, and nothing else. It may use the standard library only; it has no network, no input and "
    "{seconds:g} seconds. "
    "Put the program in a fenced block that opens with ```python and closes with ```."
)
