"""Permutations of any number of rows without a table: the position of row i in an epoch is computed in microseconds.

A Feistel network over the smallest domain of an even number of bits that holds all rows; results outside the range are sent through again
(cycle walking; J. Black and P. Rogaway, Ciphers with Arbitrary Finite Domains, 2002).
"""

__all__ = ["permuted", "scrambled"]

_ROUNDS = 6
_WORD = 2**64 - 1


def scrambled(value: int) -> int:
    """Return 64 random-looking bits, by SplitMix64's finaliser, which is a bijection."""
    value = (value + 0x9E3779B97F4A7C15) & _WORD
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _WORD
    return value ^ (value >> 31)


def permuted(index: int, size: int, key: int) -> int:
    """Return the image of `index` under the permutation of range(size) with this 64-bit `key`."""
    half = ((size - 1).bit_length() + 1) // 2
    mask = (1 << half) - 1
    while True:
        left, right = index >> half, index & mask
        for number in range(_ROUNDS):
            left, right = right, left ^ (scrambled(key ^ (number << 56 | right)) & mask)
        index = left << half | right
        if index < size:
            return index
