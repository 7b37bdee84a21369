"""When do two names mean the same class? Without case, punctuation and plural.

"Dogs" = "dog"      "fire-engine" = "Fire Engine"      "rooster" = "Chicken, rooster"
"""

import re
import unicodedata

_BREAK = re.compile(r"[^\w]+|_")


def words_of(name: str) -> tuple[str, ...]:
    """Return the words of a name in lower case and singular, without accents and punctuation.

    >>> words_of("Fire-Engines (red)")
    ('fire', 'engine', 'red')
    """
    plain = unicodedata.normalize("NFKD", name.casefold())
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    return tuple(_singular(word) for word in _BREAK.split(plain) if word)


def forms_of(name: str) -> set[tuple[str, ...]]:
    """Return the words of a name, and of each of its synonyms where commas or slashes part them.

    >>> sorted(forms_of("Chicken, rooster"))
    [('chicken',), ('chicken', 'rooster'), ('rooster',)]
    """
    parts = [name, *re.split(r",\s+|\s+/\s+", name)]
    return {words for part in parts if (words := words_of(part))}


def holds_words(text: str, name: str) -> bool:
    """Return whether a text holds the words of a name, one after the other.

    >>> holds_words("My dogs at the beach", "Dog"), holds_words("hot air", "air balloon")
    (True, False)
    """
    inside = words_of(text)
    return any(
        inside[at : at + len(words)] == words
        for words in forms_of(name)
        for at in range(len(inside) - len(words) + 1)
    )


def _singular(word: str) -> str:
    """Return a word without the ending of a plural; the same rule for all, not a dictionary."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ches", "shes", "sses", "xes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word
