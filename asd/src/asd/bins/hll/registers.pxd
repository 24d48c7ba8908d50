# Types for the compiled twin of registers.py (`asd --compile`): never behaviour.
cimport cython
from aerospike_common.as_msgpack_walk cimport skip

ctypedef unsigned long long number_t

cdef int _RANK_MAX, _HASH_BITS
cdef number_t _ALL, _A, _B, _C, _D

@cython.locals(start=Py_ssize_t, end=Py_ssize_t, number=Py_ssize_t, out=bytearray)
cpdef bytes hashes(bytes data, Py_ssize_t count)

@cython.locals(size=Py_ssize_t, rest=Py_ssize_t, at=int, low=number_t, high=number_t)
cdef _hash_into(bytearray out, Py_ssize_t place, bytes data, Py_ssize_t start, Py_ssize_t end)

@cython.locals(number=number_t, at=Py_ssize_t)
cdef number_t _little(bytes data, Py_ssize_t start, Py_ssize_t count) except? 1

cdef number_t _rotated(number_t number, int bits) noexcept
cdef number_t _mixed_low(number_t number) noexcept
cdef number_t _mixed_high(number_t number) noexcept
cdef number_t _finished(number_t number) noexcept

@cython.locals(width=int, changes=Py_ssize_t, number=Py_ssize_t, low=number_t, value=number_t,
               start=Py_ssize_t, first=Py_ssize_t, stop=Py_ssize_t, below=int, chunk=number_t,
               at=Py_ssize_t, old=number_t, one=number_t)
cpdef Py_ssize_t raised(bytearray packed, bytes digests, int index_bits, int minhash_bits) except -1

@cython.locals(rank=int)
cpdef int rank_of(number_t half) except -1

@cython.locals(ones=bytearray, counts=list, size=Py_ssize_t, start=Py_ssize_t, first=Py_ssize_t, pair=int, rank=int)
cpdef list histogram(bytes packed, int width, int most)
