"""The words added to a task's own prompt. A change of any of them needs a new `VERSION`: it may move scores."""

VERSION = "1"

ANSWER_FENCE = (
    "Put the final answer, in the format asked for above, in a fenced block that opens with ```answer and closes with ```."
)

DIRECT = f"Reply with the final answer and nothing else: no explanation, no working. {ANSWER_FENCE}"

THINK = f"Think step by step before you answer. {ANSWER_FENCE} Write that block once, at the very end."
